//! The one binary of Luodi. Everything it does is in the library, `luodi::cli`.

fn main() -> std::process::ExitCode {
    luodi::cli::main()
}
