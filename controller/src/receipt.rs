//! Receipts of completed requests of persons: what was erased (or handed out) where, how much and when, signed by the
//! installation. They name digests, objects and counts, never a person.
//!
//! The signature is Ed25519 (RFC 8032) over the bytes of `payload`; the key is derived from the installation's seed, and the
//! public key stands in the receipt and in the ledger, so that an auditor needs nothing of ours to check it.

use std::collections::BTreeMap;

use homeostat_clock::{Seed, UtcMillis};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Version of this form: 1.
    pub v: u32,
    /// `namespace/name` of the `ErasureRequest`.
    pub request: String,
    /// Its uid.
    pub uid: String,
    /// `Erase` or `Access`.
    pub kind: String,
    /// `GDPR` or `CCPA`.
    pub regulation: String,
    /// When the person asked.
    pub received: UtcMillis,
    /// By when it had to be done.
    pub deadline: UtcMillis,
    /// When carrying out began, after the approval.
    pub began: UtcMillis,
    /// When it was done.
    pub finished: UtcMillis,
    /// How many identifiers the person was looked for by.
    pub identifiers: u64,
    /// Samples that were erased (or handed out), by model.
    pub samples: BTreeMap<String, u64>,
    /// Blobs that held the person.
    pub blobs: Vec<ReceiptBlob>,
    /// ModelVersions whose training saw the person.
    pub versions: Vec<String>,
    /// Nodes on which no copy is left.
    pub nodes: Vec<String>,
    /// Passes over all blobs; the last found nothing.
    pub passes: u32,
    /// Blob with the person's data, for `Access`.
    pub export: Option<String>,
    /// What this does not cover, as sentences.
    pub not_covered: Vec<String>,
    /// The ledger's newest entry before this: sequence and hash.
    pub ledger: Option<(u64, String)>,
}

/// A blob that held the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptBlob {
    /// Its digest.
    pub digest: String,
    /// What stands for it now; `None` when it was only read.
    pub successor: Option<String>,
    /// Records about the person.
    pub records: u64,
    /// Records in all.
    pub of: u64,
    /// What named it.
    pub used_by: Vec<String>,
}

/// A receipt with its signature, as it is kept in a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedReceipt {
    /// The receipt as JSON text: these bytes are signed.
    pub payload: String,
    /// `ed25519`.
    pub algorithm: String,
    /// 32 bytes, hex.
    pub public_key: String,
    /// 64 bytes, hex.
    pub signature: String,
}

/// Why a receipt cannot be made or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// A fault of the signing library.
    #[error("the receipt cannot be signed")]
    Key,
    /// The text is no receipt.
    #[error("this is no receipt: give the digest in status.receipt of a completed ErasureRequest")]
    Form(#[from] serde_json::Error),
    /// Somebody else's key.
    #[error("the receipt was signed with another installation's key ({0}): compare it with the seed in keys/")]
    OtherKey(String),
    /// The signature is not one of this payload.
    #[error("the signature does not fit: the receipt was changed after it was signed")]
    Changed,
}

/// Signs a receipt.
///
/// # Errors
/// When the library refuses, which it has no reason to.
pub fn sign(receipt: &Receipt, seed: &Seed) -> Result<SignedReceipt, ReceiptError> {
    let pair = pair(seed)?;
    let payload = serde_json::to_string(receipt)?;
    Ok(SignedReceipt {
        signature: hex::encode(pair.sign(payload.as_bytes())),
        public_key: hex::encode(pair.public_key()),
        algorithm: "ed25519".to_string(),
        payload,
    })
}

/// Reads a signed receipt and checks that this installation signed it as it is.
///
/// # Errors
/// When it is none, of another installation, or changed.
pub fn verify(bytes: &[u8], seed: &Seed) -> Result<Receipt, ReceiptError> {
    let signed: SignedReceipt = serde_json::from_slice(bytes)?;
    let ours = pair(seed)?;
    let key = ours.public_key().as_ref();
    if signed.public_key != hex::encode(key) {
        return Err(ReceiptError::OtherKey(signed.public_key));
    }
    let signature = hex::decode(&signed.signature).map_err(|_| ReceiptError::Changed)?;
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(signed.payload.as_bytes(), &signature).map_err(|_| ReceiptError::Changed)?;
    Ok(serde_json::from_str(&signed.payload)?)
}

fn pair(seed: &Seed) -> Result<Ed25519KeyPair, ReceiptError> {
    Ed25519KeyPair::from_seed_unchecked(&seed.derive("receipts")).map_err(|_| ReceiptError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            v: 1,
            request: "ml/r-17".into(),
            uid: "u".into(),
            kind: "Erase".into(),
            regulation: "GDPR".into(),
            received: UtcMillis(1),
            deadline: UtcMillis(2),
            began: UtcMillis(1),
            finished: UtcMillis(1),
            identifiers: 1,
            samples: BTreeMap::from([("ml/atlas".into(), 3)]),
            blobs: Vec::new(),
            versions: Vec::new(),
            nodes: vec!["node-1".into()],
            passes: 2,
            export: None,
            not_covered: Vec::new(),
            ledger: None,
        }
    }

    #[test]
    fn a_receipt_holds_until_a_byte_of_it_changes() {
        let seed = Seed::fixed(7);
        let signed = sign(&receipt(), &seed).unwrap();
        let bytes = |signed: &SignedReceipt| serde_json::to_vec(signed).unwrap();
        assert_eq!(verify(&bytes(&signed), &seed).unwrap(), receipt());
        let changed = SignedReceipt { payload: signed.payload.replace(":3", ":2"), ..signed.clone() };
        assert!(matches!(verify(&bytes(&changed), &seed), Err(ReceiptError::Changed)));
        assert!(matches!(verify(&bytes(&signed), &Seed::fixed(8)), Err(ReceiptError::OtherKey(_))));
        assert!(matches!(verify(b"{}", &seed), Err(ReceiptError::Form(_))));
    }
}
