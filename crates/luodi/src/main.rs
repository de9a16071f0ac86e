//! The one binary of Luodi. Everything it does is in the library.

fn main() {}
