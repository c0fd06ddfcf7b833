//! (repository/probe)
