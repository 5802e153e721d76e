//! stub
/// stub
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {}
/// stub
#[derive(Debug, thiserror::Error)]
pub enum ServeError {}
/// stub
pub fn serve(_: ServeArgs) -> Result<(), ServeError> { Ok(()) }
