//! `outflow init`: a project that runs as it stands, on data that it makes up.
//!
//! ```text
//! seed --> data (customers, orders) --> data/*            what the models read
//!                     |
//!                     +--> facts ------> templates ----> outflow.yml, models/*.sql, README.md
//! ```
//!
//! - One seed gives the same bytes, always and everywhere: the data comes from a generator of our own ([`draw`]), and no clock is read.
//! - The README names records that are in the data, so that its commands do what it says.
//! - Nothing that exists is overwritten.
//!
//! Non-goals: data at scale (the bench crate makes that), and projects other than the sample.

mod data;
mod draw;
mod names;
mod templates;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use outflow_contract::{Error, Result};
use serde::Serialize;

/// What [`write_project`] made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Written {
    /// The files, relative to the project's folder, in the order a newcomer should read them.
    pub(crate) files: Vec<WrittenFile>,
    /// Customers in the data, all of them in the model `customers`.
    pub(crate) customers: u64,
    /// Orders in the data.
    pub(crate) orders: u64,
    /// Orders that the model `orders` returns.
    pub(crate) orders_in_model: u64,
}

/// One file of a new project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WrittenFile {
    /// Relative to the project's folder.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
    /// What it is, in a few words.
    pub(crate) what: &'static str,
}

/// Makes the sample project `name` in `folder`, which may exist as long as none of the project's files do.
///
/// # Errors
/// `Invalid` if the folder holds a project, or a file that would be overwritten; `Io` if it cannot be written.
/// A file that could not be written whole is not there under its own name.
pub(crate) fn write_project(folder: &Path, name: &str, seed: u64) -> Result<Written> {
    refuse_existing(folder)?;
    let shop = data::Shop::generate(seed);
    let facts = shop.facts();
    let mut files = Vec::new();
    for template in templates::ALL {
        let text = template.render(name, &facts)?;
        files.push((template.path, template.what, text.into_bytes()));
    }
    files.push(("data/customers.parquet", "customers", shop.customers_parquet()?));
    files.push(("data/orders.csv", "their orders", shop.orders_csv()));
    files.push(("data/erasures.csv", "customers who asked to be forgotten", shop.erasures_csv()));
    let mut written = Vec::with_capacity(files.len());
    for (path, what, bytes) in files {
        write_file(&folder.join(path), &bytes)?;
        written.push(WrittenFile { path: path.into(), bytes: bytes.len() as u64, what });
    }
    Ok(Written {
        files: written,
        customers: facts.customers as u64,
        orders: facts.orders as u64,
        orders_in_model: facts.orders_in_model as u64,
    })
}

/// Every path that the project will have, data included.
fn paths() -> impl Iterator<Item = &'static str> {
    let data = ["data/customers.parquet", "data/orders.csv", "data/erasures.csv"];
    templates::ALL.iter().map(|template| template.path).chain(data)
}

fn refuse_existing(folder: &Path) -> Result<()> {
    if folder.join("outflow.yml").exists() {
        let message = format!("{} already holds a project (outflow.yml)", folder.display());
        return Err(Error::invalid(message).remedy("choose another folder, or go there and run `outflow check`"));
    }
    if folder.exists() && !folder.is_dir() {
        let message = format!("{} is a file, so no project can be made there", folder.display());
        return Err(Error::invalid(message).remedy("choose another folder"));
    }
    let taken: Vec<&str> = paths().filter(|path| folder.join(path).exists()).collect();
    if taken.is_empty() {
        return Ok(());
    }
    let message = format!("{} holds files that the project would overwrite: {}", folder.display(), taken.join(", "));
    Err(Error::invalid(message).remedy("choose another folder, or move these files away"))
}

/// Writes under another name first, so that a full disk leaves no half of a file behind.
fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(format!("could not write {}", path.display()), error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let outcome = fs::File::create(&unfinished).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&unfinished, path));
    outcome.map_err(|error| {
        // Best effort: the first failure is the one worth telling.
        let _ignored = fs::remove_file(&unfinished);
        failed(error)
    })
}
