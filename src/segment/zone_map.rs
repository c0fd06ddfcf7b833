//! Statistics of what is being written: bounds and NULL counts per column.
