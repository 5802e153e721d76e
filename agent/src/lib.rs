//! homeostat-agent
