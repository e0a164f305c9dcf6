//! What people look at. One [`Model`] is made of what the API server has, and everything that shows it, a terminal, a page, a
//! document for programs, reads that and nothing else.

mod model;
mod page;

pub use model::{Health, Line, Model, Node, Objects, Pool, Repair, Speaker, Step, Zone};
pub use page::Page;
