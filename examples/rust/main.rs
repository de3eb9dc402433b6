// Embeds three sentences and prints the cosine of each pair, in Rust with a model compiled ahead of time.
//
//   ggufc compile model.gguf -o model
//   rustc -O main.rs -o sentences -C link-arg=model.o -L PREFIX/lib -l static=ggufc_runtime && ./sentences
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

#[repr(C)]
struct EmbedOptions { // ggufc_embed_options of ggufc.h
    size: usize,
    flags: u32,
    reserved: u32,
    prompt: *const c_char,
    title: *const c_char,
}

extern "C" {
    fn model_open(weights: *const c_char, options: *const c_void, model: *mut *mut c_void) -> c_int;
    fn ggufc_embed(model: *mut c_void, texts: *const *const c_char, lengths: *const usize, count: usize,
        options: *const EmbedOptions, out: *mut f32, stride: usize) -> c_int;
    fn ggufc_dims(model: *const c_void) -> usize;
    fn ggufc_close(model: *mut c_void);
    fn ggufc_last_error() -> *const c_char;
}

fn check(status: c_int) -> Result<(), String> {
    match status {
        0 => Ok(()),
        _ => Err(unsafe { CStr::from_ptr(ggufc_last_error()) }.to_string_lossy().into()),
    }
}

fn main() -> Result<(), String> {
    let sentences = [
        "The cat sleeps on the warm roof of the house.",
        "A cat is asleep on the roof of our house.",
        "Central banks raised interest rates to slow inflation.",
    ];
    let (texts, lengths) = (sentences.map(|text| text.as_ptr() as *const c_char), sentences.map(str::len));
    let prompt = b"sentence-similarity\0".as_ptr() as *const c_char;
    let options = EmbedOptions { size: std::mem::size_of::<EmbedOptions>(), flags: 0, reserved: 0, prompt, title: null() };
    let mut model = null_mut();
    check(unsafe { model_open(null(), null(), &mut model) })?;
    let dims = unsafe { ggufc_dims(model) };
    let mut vectors = vec![0f32; sentences.len() * dims];
    let out = vectors.as_mut_ptr();
    check(unsafe { ggufc_embed(model, texts.as_ptr(), lengths.as_ptr(), texts.len(), &options, out, dims) })?;
    unsafe { ggufc_close(model) };
    let rows: Vec<&[f32]> = vectors.chunks(dims).collect();
    for i in 0..rows.len() {
        for j in i + 1..rows.len() {
            // The vectors have length 1, so the cosine is their dot product.
            let cosine: f64 = rows[i].iter().zip(rows[j]).map(|(a, b)| *a as f64 * *b as f64).sum();
            println!("{} and {}: {:.4}", i + 1, j + 1, cosine);
        }
    }
    Ok(())
}
