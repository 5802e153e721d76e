//! homeostat-tests
