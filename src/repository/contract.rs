//! (repository/contract)
