//! Changes of the catalog as pure functions from state to state.
