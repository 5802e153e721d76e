//! The last desired state on disk, so that an agent that starts while the controller is away keeps serving.

use std::path::{Path, PathBuf};

use homeostat_protocol::DesiredState;
use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::spool::{SpoolError, write_synced};

/// Keeps `desired` in `folder`.
pub(crate) fn keep(folder: &Path, desired: &DesiredState) -> Result<(), SpoolError> {
    let payload = desired.encode_to_vec();
    let mut bytes = Sha256::digest(&payload).to_vec();
    bytes.extend_from_slice(&payload);
    write_synced(&path(folder), &bytes)
}

/// What was kept last; `None` when there is nothing or it is damaged, which the next session repairs.
pub(crate) fn last(folder: &Path) -> Option<DesiredState> {
    let bytes = std::fs::read(path(folder)).ok()?;
    let (sum, payload) = bytes.split_at_checked(32)?;
    if Sha256::digest(payload).as_slice() != sum {
        tracing::warn!(path = %path(folder).display(), "the kept desired state is damaged; waiting for the controller's");
        return None;
    }
    DesiredState::decode(payload).ok()
}

fn path(folder: &Path) -> PathBuf {
    folder.join("desired")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_whole_or_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last(folder.path()), None);
        let desired = DesiredState { generation: 7, window_ms: 1000, ..DesiredState::default() };
        keep(folder.path(), &desired).unwrap();
        assert_eq!(last(folder.path()), Some(desired));
        let mut bytes = std::fs::read(path(folder.path())).unwrap();
        bytes.pop();
        std::fs::write(path(folder.path()), bytes).unwrap();
        assert_eq!(last(folder.path()), None);
    }
}
