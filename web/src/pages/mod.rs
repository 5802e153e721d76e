//! One file a page: extract, query, build the page's struct, return it.

pub(crate) mod alerts;
pub(crate) mod compliance;
pub(crate) mod ledger;
pub(crate) mod model;
pub(crate) mod nodes;
pub(crate) mod overview;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sign_in;
pub(crate) mod steering;

use http::Uri;

use crate::site::{PageError, Signed};

/// Everything else.
pub(crate) async fn not_found(Signed(_): Signed, uri: Uri) -> PageError {
    PageError::NotFound(format!("page {}", uri.path()))
}
