/*
 * What every load generator of the benches has: a clock, the time it waited for a core, arguments, and the round trips
 * of echo loads by bucket. Each load is one C file that includes this; nothing here knows a protocol.
 */
#ifndef LOAD_H
#define LOAD_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Seconds that this process was ready to run and did not, because others had its core; 0 where nobody counts it. */
static inline double waited_seconds(void) {
  unsigned long long ran_ns, waited_ns = 0;
  FILE *file = fopen("/proc/self/schedstat", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%llu %llu", &ran_ns, &waited_ns) != 2) waited_ns = 0;
  fclose(file);
  return (double)waited_ns / 1e9;
}

/* Ends with 78 when `text` is no number from `least` to `most`. */
static inline uint64_t number_argument(const char *name, const char *text, uint64_t least, uint64_t most) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < least || value > most) {
    fprintf(stderr, "load: %s: \"%s\" is not a number from %llu to %llu\n", name, text, (unsigned long long)least,
            (unsigned long long)most);
    exit(78);
  }
  return value;
}

/* ---- Round trips: each power of two has so many buckets, so they are known to 1/64 ---- */

enum { SUB_BUCKETS = 64 };

struct histogram {
  uint64_t counts[64 * SUB_BUCKETS];
  uint64_t total;
};

/* Values below SUB_BUCKETS have a bucket each; above, SUB_BUCKETS buckets share each power of two. */
static inline unsigned bucket_of(uint64_t ns) {
  if (ns < SUB_BUCKETS) return (unsigned)ns;
  unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - 6u; /* 6 = log2(SUB_BUCKETS) */
  return (shift + 1) * SUB_BUCKETS + (unsigned)((ns >> shift) - SUB_BUCKETS);
}

static inline uint64_t bucket_start(unsigned bucket) {
  if (bucket < SUB_BUCKETS) return bucket;
  unsigned shift = bucket / SUB_BUCKETS - 1;
  return ((uint64_t)SUB_BUCKETS + bucket % SUB_BUCKETS) << shift;
}

static inline void count_round_trip(struct histogram *histogram, uint64_t ns) {
  histogram->counts[bucket_of(ns)]++;
  histogram->total++;
}

static inline double percentile_us(const struct histogram *histogram, double share) {
  uint64_t rank = (uint64_t)((double)histogram->total * share), seen = 0;
  for (unsigned i = 0; i < sizeof histogram->counts / sizeof *histogram->counts; i++) {
    seen += histogram->counts[i];
    if (seen > rank) return (double)bucket_start(i) / 1000.0;
  }
  return 0;
}

#endif
