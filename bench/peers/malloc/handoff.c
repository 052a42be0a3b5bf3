// What do allocators lose if a thread other than the maker frees a block? The scenario handoff of
// `go run ./bench run`, without uses, for malloc: blocks of 24 bytes, 256 at a time, four batches.
//
//	gcc -O2 -fno-builtin -pthread -o handoff bench/peers/malloc/handoff.c
//	./handoff; LD_PRELOAD=libjemalloc.so.2 ./handoff; LD_PRELOAD=libmimalloc.so.2 ./handoff
//
// It prints millions of blocks a second, freed by the maker and by another thread, and the
// ratio: medians of eleven turns.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { batch = 256, batches = 4, turns = 11 };

static int rounds = 20000; // batches in a turn, or the first argument

// A ring of batches, as a channel of Go's would pass them on.
static struct ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int sent, taken;
	void *blocks[batches][batch];
} ring = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

static void make(void **blocks) {
	for (int i = 0; i < batch; i++) {
		long *b = malloc(24);
		b[0] = i;
		blocks[i] = b;
	}
}

static void drop(void **blocks) {
	for (int i = 0; i < batch; i++)
		free(blocks[i]);
}

static void *consume(void *unused) {
	for (int i = 0; i < rounds; i++) {
		pthread_mutex_lock(&ring.lock);
		while (ring.sent == ring.taken)
			pthread_cond_wait(&ring.changed, &ring.lock);
		pthread_mutex_unlock(&ring.lock);
		drop(ring.blocks[i % batches]);
		pthread_mutex_lock(&ring.lock);
		ring.taken++;
		pthread_cond_signal(&ring.changed);
		pthread_mutex_unlock(&ring.lock);
	}
	return unused;
}

static void produce(void) {
	for (int i = 0; i < rounds; i++) {
		pthread_mutex_lock(&ring.lock);
		while (ring.sent - ring.taken == batches)
			pthread_cond_wait(&ring.changed, &ring.lock);
		pthread_mutex_unlock(&ring.lock);
		make(ring.blocks[i % batches]);
		pthread_mutex_lock(&ring.lock);
		ring.sent++;
		pthread_cond_signal(&ring.changed);
		pthread_mutex_unlock(&ring.lock);
	}
}

// rate returns millions of blocks a second.
static double rate(int foreign) {
	static void *own[batch];
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (foreign) {
		pthread_t consumer;
		pthread_create(&consumer, NULL, consume, NULL);
		produce();
		pthread_join(consumer, NULL);
	} else {
		for (int i = 0; i < rounds; i++) {
			make(own);
			drop(own);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	return batch * (double)rounds / ((b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3);
}

static int ascending(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv) {
	if (argc > 1)
		rounds = atoi(argv[1]);
	double own[turns], foreign[turns], ratio[turns];
	for (int i = 0; i < turns; i++) {
		own[i] = rate(0);
		foreign[i] = rate(1);
		ratio[i] = foreign[i] / own[i];
	}
	qsort(own, turns, sizeof *own, ascending);
	qsort(foreign, turns, sizeof *foreign, ascending);
	qsort(ratio, turns, sizeof *ratio, ascending);
	printf("maker %.1f, another thread %.1f, ratio %.2f\n", own[turns / 2], foreign[turns / 2], ratio[turns / 2]);
	return 0;
}
