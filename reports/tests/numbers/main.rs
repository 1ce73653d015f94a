//! Every number of a page is found again in the result file: those of the column registry by the place
//! that they name (`html.rs`), all others by working them out a second time, from the JSON alone. That the
//! checks can fail is checked with wrong numbers planted in the page.

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../page/mod.rs"]
mod page;

mod bars;
mod captions;
mod charts;
mod findings;
mod heat;
mod ranges;
mod scaling;
mod scene;
mod sentences;
mod tables;
mod timeline;
