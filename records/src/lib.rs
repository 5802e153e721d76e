//! homeostat-records
