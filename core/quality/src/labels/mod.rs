//! Metrics over labels and probabilities, after scikit-learn 1.9.1 and uncertainty-calibration 0.1.4.
//!
//! They take what was decided for every item; an item without a prediction does not belong in the lists (count it as missing beside
//! them, see [`crate::Scored`]).

mod calibration;
mod choice;
mod classification;
mod multilabel;
mod ranking;

pub use calibration::{Binning, brier_score, calibration_error, log_loss, maximum_calibration_error};
pub use choice::{Choices, acc_norm, accuracy};
pub use classification::{Averages, ClassScores, Classification};
pub use multilabel::{MultiLabel, multilabel};
pub use ranking::{average_precision, roc_auc};
