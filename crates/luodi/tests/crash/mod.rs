//! A server killed under load loses nothing it acknowledged.
