//! homeostat-gateway
