//! What is Lance's own: recall of its indexes, upkeep, indexes beside scans, fields that ask for another index than is there,
//! two processes, evolution cut short, and what PyPI's `pylance` reads of a dataset.
#![cfg(feature = "lance")]

mod common;
mod indexes;
mod processes;
mod python;
mod recall;
mod redeclared;
mod upkeep;
