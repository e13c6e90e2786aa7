//! `bindgen MODULE FOLDER`: writes `index.js` and `index_bg.wasm` into the folder.

use std::env;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let mut argument = |name| arguments.next().context(format!("{name} is missing: bindgen MODULE FOLDER"));
    let (module, folder) = (argument("MODULE")?, argument("FOLDER")?);
    Bindgen::new()
        .input_path(module)
        .out_name("index")
        // workerd loads the bindings as an ES module.
        .module(true)?
        .typescript(false)
        // With the next two options, scripts/shim.mjs can start the module again after a panic.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(folder)
}
