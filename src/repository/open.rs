//! (repository/open)
