//! Writes the seeds of each target into a folder of its own: `fuzz-seeds FOLDER`.

use std::io::{Error, Result};
use std::path::Path;

use outflow_fuzz::TARGETS;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| Error::other("the folder for the seeds is missing"))?;
    for target in TARGETS {
        let folder = Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:04}")), seed)?;
        }
    }
    Ok(())
}
