/// What reading and writing records gives.
pub type Result<T, E = RecordsError> = std::result::Result<T, E>;

/// Why the records could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The database refused or did not answer.
    #[error("the records database failed; check its disk space, or that PostgreSQL is reachable, and try again")]
    Database(#[from] sqlx::Error),
    /// A stored value is not one that this program writes.
    #[error(
        "the records hold {problem} in column {column}; was the database edited by hand or written by a newer version?"
    )]
    Stored {
        /// The column it was read from.
        column: &'static str,
        /// What was found.
        problem: String,
    },
    /// The caller's value cannot be stored.
    #[error("{field} {value} cannot be recorded: {remedy}")]
    Invalid {
        /// Which argument.
        field: &'static str,
        /// Its value.
        value: String,
        /// What to give instead.
        remedy: &'static str,
    },
}
