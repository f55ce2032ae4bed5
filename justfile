# Thin names over `cargo xtask`, for those who have `just`. Nothing lives here.

# List the names.
default:
    @just --list

# Set up and run all tests.
test:
    cargo xtask test

# Database servers for the tests: until Ctrl-C, or for as long as a command runs.
servers *command:
    cargo xtask servers {{ if command == "" { "" } else { "-- " + command } }}

# The conformance suite on many servers; writes docs/engines.md.
matrix *names:
    cargo xtask matrix {{names}}

# Format, lints, documentation, and the rules of the house.
lint:
    cargo xtask lint

# What takes longer: what a release lacks, the oldest rusqlite, other libraries beside ours.
check-more:
    cargo xtask check-more

# All that continuous integration runs.
ci:
    .ci/run

# Before a release: licenses, sources and duplicates of the dependencies (needs cargo-deny).
deny:
    cargo deny check bans licenses sources
