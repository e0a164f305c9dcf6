//! Several requests at a time, and their answers in the order in which they were asked: a look at many objects, or the
//! eviction of many pods, must not take as long as all of them one after the other.

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};

/// So many are under way at a time. Arbitrary: a drain of a full node takes no longer than its pods' grace, and the API
/// server's other clients do not notice it.
const ABREAST: usize = 8;

/// The answers, as they come. Who stops listening stops asking, too: what is under way then is dropped.
pub(crate) fn abreast<'a, T: Send + 'a>(requests: Vec<BoxFuture<'a, T>>) -> BoxStream<'a, T> {
    stream::iter(requests).buffered(ABREAST).boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_are_under_way_at_a_time_and_the_answers_keep_their_order() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let one = |number: u64| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // the first take longest
                tokio::time::sleep(Duration::from_millis(100 - number)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                number
            }
            .boxed()
        };
        let began = tokio::time::Instant::now();
        let answers: Vec<u64> = abreast((0..32).map(one).collect()).collect().await;
        assert_eq!(answers, (0..32).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), ABREAST);
        assert!(
            began.elapsed() < Duration::from_millis(500),
            "{:?}",
            began.elapsed()
        );
    }
}
