//! `outflow names`: what completions offer, a line each. Where there is no project that can be read, there are no names.

use crate::args::{Global, Named, NamesArgs};
use crate::commands::test;
use crate::exit::Exit;
use crate::project;
use crate::render::Console;

pub(crate) fn run(global: &Global, args: &NamesArgs, console: &Console) -> Exit {
    if args.what == Named::Type {
        for descriptor in project::descriptors() {
            console.line(&descriptor.name);
        }
        return Exit::Ok;
    }
    if let Ok(loaded) = project::load(global) {
        let project = &loaded.project;
        let names: Vec<&str> = match args.what {
            Named::Mapping => project.mappings.iter().map(|mapping| mapping.name.as_str()).collect(),
            Named::Model => project.models.iter().map(|model| model.name.as_str()).collect(),
            Named::Testable => test::names(project, None),
            Named::Type => Vec::new(),
        };
        for name in names {
            console.line(name);
        }
    }
    Exit::Ok
}
