//! homeostat-web
