//! SQL from a program: a table, rows in and out, a prepared statement, a backup that is waited for.
//!
//!     cargo run --example sql

use arrow::util::pretty::print_batches;
use steledb::sql::Session;
use steledb::{Error, Result, Store, Value};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("stele-sql-{}", std::process::id()));
    let store = Store::create(dir.join("store"))?;
    let mut session = Session::new(&store)?;

    let script = r#"
        CREATE DATABASE shop;
        USE shop;
        CREATE TABLE sales (day DATE NOT NULL, customer BIGINT, amount DECIMAL(10, 2))
            DUPLICATE KEY (day) PARTITION BY date_trunc('month', day) DISTRIBUTED BY HASH(customer) BUCKETS 2;
        INSERT INTO sales VALUES ('2026-10-31', 1, 9.90), ('2026-11-01', 2, 20), ('2026-11-02', 1, 5.50);
    "#;
    session.run(script, |_, _| Ok(()))?;

    let of_customer = session.prepare("SELECT day, amount FROM sales WHERE customer = ? ORDER BY day")?;
    let rows = session.execute_prepared(&of_customer, &[Value::Int(1)])?.collect()?;
    print_batches(&rows).map_err(|error| Error::invalid(error.to_string()))?;

    let location = dir.join("backups").display().to_string();
    session.execute(&format!("CREATE REPOSITORY disk WITH BROKER ON LOCATION 'file://{location}'"))?;
    // BACKUP goes on by itself.
    if let Some(job) = session.execute("BACKUP SNAPSHOT monday TO disk")?.job() {
        let status = store.jobs().wait(job, None)?;
        println!("backup {} is {}", status.label, status.state);
    }
    store.jobs().suspend();
    std::fs::remove_dir_all(&dir).map_err(|error| Error::invalid(error.to_string()))?;
    Ok(())
}
