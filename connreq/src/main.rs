//! Sends TR-069 Annex K connection requests, as an ACS does.

fn main() -> std::process::ExitCode {
    connreq::tool::main()
}
