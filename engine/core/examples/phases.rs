//! Prints the diagram of a repair's phases, as it stands in `engine/README.md`.

fn main() {
    print!("{}", rectifier_core::repair::Phase::diagram());
}
