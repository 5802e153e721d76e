//! homeostat-curation
