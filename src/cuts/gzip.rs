//! Compresses a stream with gzip (RFC 1952). Memory holds one piece and the compressor's window, even if the client
//! is slow.

use std::io::Write;

use async_trait::async_trait;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::body::stream::{ByteSource, OUTGOING_BYTES, PIECE_BYTES};
use crate::error::{Problem, Result};

/// Number of bytes that the compressor gets at once. Its output depends on this number, and must not depend on the lengths
/// of the pieces, because a result has a strong entity tag.
const BLOCK_BYTES: usize = 64 << 10;

/// A source that compresses another source at the fastest level, because the result is sent once and not stored.
pub struct GzipSource {
    source: Box<dyn ByteSource>,
    /// Bytes that the compressor has not got yet.
    waiting: Vec<u8>,
    /// The compressor, which writes its output into a vector. `None` after the end of the gzip file was written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl GzipSource {
    /// Creates a source that compresses `source`.
    pub fn new(source: Box<dyn ByteSource>) -> Self {
        let encoder = Some(GzEncoder::new(Vec::with_capacity(PIECE_BYTES), Compression::fast()));
        Self { source, waiting: Vec::with_capacity(OUTGOING_BYTES + BLOCK_BYTES), encoder }
    }
}

#[async_trait]
impl ByteSource for GzipSource {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        let start = buffer.len();
        while let Some(encoder) = &mut self.encoder {
            if self.source.read(&mut self.waiting).await? == 0 {
                encoder.write_all(&self.waiting).map_err(Problem::internal)?;
                self.waiting.clear();
                let encoder = self.encoder.take().ok_or_else(|| Problem::internal("gzip ended twice"))?;
                buffer.extend_from_slice(&encoder.finish().map_err(Problem::internal)?);
                break;
            }
            let whole = self.waiting.len() - self.waiting.len() % BLOCK_BYTES;
            for block in self.waiting[..whole].chunks(BLOCK_BYTES) {
                encoder.write_all(block).map_err(Problem::internal)?;
            }
            self.waiting.drain(..whole);
            if !encoder.get_ref().is_empty() {
                buffer.append(encoder.get_mut());
                break;
            }
        }
        Ok(buffer.len() - start)
    }

    async fn cancel(&mut self) {
        self.source.cancel().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read;

    use super::*;

    struct Pieces(Vec<Result<Vec<u8>>>);

    #[async_trait]
    impl ByteSource for Pieces {
        async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0)?;
            buffer.extend_from_slice(&piece);
            Ok(piece.len())
        }
    }

    async fn compressed(pieces: Vec<Result<Vec<u8>>>) -> Result<Vec<u8>> {
        let mut source = GzipSource::new(Box::new(Pieces(pieces)));
        let mut all = Vec::new();
        while source.read(&mut all).await? > 0 {}
        Ok(all)
    }

    #[tokio::test]
    async fn compressed_bytes_decompress_to_the_input() {
        let row = |n: u32| format!("{n},JFK,late\n").into_bytes();
        let pieces: Vec<Vec<u8>> =
            (0..40).map(|n| (n * 1000..(n + 1) * 1000).flat_map(row).collect()).collect();
        let gzip = compressed(pieces.iter().cloned().map(Ok).collect()).await.unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, pieces.concat());
        assert!(gzip.len() < plain.len());
    }

    #[tokio::test]
    async fn the_compressed_bytes_do_not_depend_on_the_lengths_of_the_pieces() {
        let text: Vec<u8> =
            (0..60_000_u32).flat_map(|n| format!("{n},JFK,{}\n", n % 7).into_bytes()).collect();
        let in_pieces_of = async |length: usize| {
            compressed(text.chunks(length).map(|piece| Ok(piece.to_vec())).collect()).await.unwrap()
        };
        let whole = in_pieces_of(text.len()).await;
        for length in [977, 65_535, 65_536, 65_537, 200_000] {
            assert!(in_pieces_of(length).await == whole, "pieces of {length} bytes");
        }
    }

    #[tokio::test]
    async fn an_empty_source_gives_a_complete_gzip_file() {
        let gzip = compressed(Vec::new()).await.unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut plain).unwrap();
        assert!(plain.is_empty());
    }

    #[tokio::test]
    async fn an_error_of_the_source_becomes_an_error_of_the_gzip_stream() {
        let broken = vec![Ok(b"a,b\n".to_vec()), Err(Problem::unavailable("gone"))];
        assert!(compressed(broken).await.is_err());
    }
}
