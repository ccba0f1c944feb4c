//! The `outflow` command.

mod app;
mod args;
mod commands;
mod exit;
mod init;
mod progress;
mod project;
mod render;
mod results;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    app::main()
}
