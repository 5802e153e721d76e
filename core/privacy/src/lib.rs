//! Privacy: finding personal data in text, taking it out, and judging what was found.
//!
//! Recognizers find *entities* (an e-mail address, a payment card) as byte ranges; an anonymizer replaces them; a keyed
//! hash of each lets an erasure request find the records about a person without anybody storing the identifier; a
//! compliance policy judges counts. Names of entities follow Microsoft Presidio's, so that its users recognise them.
//!
//! It deliberately reads no file, keeps no text in any report, and decides nothing about routing or promotion. A text
//! without a finding is not proven free of personal data: only the listed entities are looked for.
//!
//! ```
//! use homeostat_privacy::{Anonymizer, Entity, Recognizers, redact};
//!
//! let recognizers = Recognizers::all();
//! let redaction = redact("Write to ann@example.org, card 4111 1111 1111 1111.", &recognizers, &Anonymizer::Replace);
//! assert_eq!(redaction.text, "Write to <EMAIL_ADDRESS>, card <CREDIT_CARD>.");
//! assert_eq!(redaction.findings[0].entity, Entity::EmailAddress);
//! assert!(recognizers.find(&redaction.text).is_empty());
//! ```

mod anonymize;
mod catalog;
mod check;
mod compliance;
mod engine;
mod entity;
mod leak;
mod lists;
mod names;
mod phone;
mod prf;
mod recognize;
mod recognizer;
mod shape;
mod stream;
mod subject;
mod text;

pub use anonymize::{
    Anonymization, AnonymizationError, AnonymizationSpec, Anonymized, Anonymizer, EntityOperatorSpec, KeyId, KeyRing,
    KeyRingError, Mask, Opened, Operator, OperatorSpec, Redaction, Refusal, Replacement, Scope, TokenError,
    format_decrypt, format_encrypt, is_reserved, open_token, open_tokens, pseudonym, redact, seal_token,
};
pub use compliance::{CompliancePolicy, ComplianceVerdict, EntityCount, EntityRule, ScanReport, scan, verdict};
pub use entity::{CustomEntity, CustomEntityError, Entity, Finding, UnknownEntity};
pub use leak::{Canary, LeakProbe, LeakReport, leak_probes, leak_verdict, leaked};
pub use names::NamedEntities;
pub use recognize::{DenyListError, MinimumError, Recognizers};
pub use recognizer::{CustomRecognizer, CustomRecognizerError};
pub use stream::StreamRedactor;
pub use subject::{Candidate, SealedError, SubjectDataKey, SubjectKey, SubjectKeyRing, SubjectRingError};
