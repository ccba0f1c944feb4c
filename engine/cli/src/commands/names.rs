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
    // A mapping that is still to be filled in has a name, too.
    if let Ok(loaded) = project::load_unfinished(global) {
        let project = &loaded.project;
        let mappings = || project.mappings.iter().map(|mapping| mapping.name.clone());
        let models = || project.models.iter().map(|model| model.name.clone());
        let destinations = || project.destinations.iter().map(|destination| destination.name.clone());
        let names: Vec<String> = match args.what {
            Named::Mapping => mappings().collect(),
            Named::Model => models().collect(),
            Named::Destination => destinations().collect(),
            Named::Testable => test::names(project, None).into_iter().map(str::to_owned).collect(),
            Named::Sync => std::iter::once("last".to_owned()).chain(mappings()).collect(),
            Named::Pattern => {
                let of = |kind: &'static str, names: &[String]| names.iter().map(move |name| format!("{kind}:{name}")).collect::<Vec<_>>();
                let models: Vec<String> = models().collect();
                let destinations: Vec<String> = destinations().collect();
                mappings().chain(of("model", &models)).chain(of("destination", &destinations)).collect()
            }
            Named::Type => Vec::new(),
        };
        for name in names {
            console.line(&name);
        }
    }
    Exit::Ok
}
