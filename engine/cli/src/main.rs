//! The `outflow` command.

mod app;
mod args;
mod commands;
mod exit;
mod init;
mod previews;
mod progress;
mod project;
mod render;
mod results;
mod signals;
mod skeleton;
mod usage;
mod waiting;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    app::main()
}
