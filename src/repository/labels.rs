//! (repository/labels)
