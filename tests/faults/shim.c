/* What the C library tells the gateway of the world outside, for tests: names and the wall clock. Built by the test with
   `cc -shared -fPIC`, loaded with LD_PRELOAD. It changes nothing else.

   FAULTS_RESOLVER=PORT  names that end in ".test" are asked of the test's resolver at 127.0.0.1:PORT, by UDP: the name
                         there, "none", "fail", "empty" or addresses with spaces between back; no answer in 5 s is
                         a failure, as with resolv.conf's defaults
   FAULTS_CLOCK=PATH     while this file exists, the wall clock is an hour ahead */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_getaddrinfo)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
static void (*real_freeaddrinfo)(struct addrinfo *);

/* Marks the entries that were made here: they are freed here. */
static char ours[] = "faults";

__attribute__((constructor)) static void find_the_real_ones(void) {
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_getaddrinfo = dlsym(RTLD_NEXT, "getaddrinfo");
  real_freeaddrinfo = dlsym(RTLD_NEXT, "freeaddrinfo");
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!real_clock_gettime) find_the_real_ones();
  int result = real_clock_gettime(clock, now);
  const char *jump = getenv("FAULTS_CLOCK");
  if (clock == CLOCK_REALTIME && jump && access(jump, F_OK) == 0) now->tv_sec += 3600;
  return result;
}

static int ask(const char *name, int port, char *answer, size_t size) {
  int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct timeval patience = {5, 0};
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ssize_t got = -1;
  if (sock >= 0 && setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
      sendto(sock, name, strlen(name), 0, (struct sockaddr *)&there, sizeof there) >= 0)
    got = recv(sock, answer, size - 1, 0);
  if (sock >= 0) close(sock);
  if (got < 0) return EAI_AGAIN;
  answer[got] = '\0';
  if (strcmp(answer, "none") == 0) return EAI_NONAME;
  if (strcmp(answer, "fail") == 0) return EAI_AGAIN;
  if (strcmp(answer, "empty") == 0) return EAI_NODATA;
  return 0;
}

static struct addrinfo *entry(const char *address, int port) {
  struct entry { struct addrinfo info; struct sockaddr_in address; } *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  made->address.sin_family = AF_INET;
  made->address.sin_port = htons((unsigned short)port);
  inet_pton(AF_INET, address, &made->address.sin_addr);
  made->info = (struct addrinfo){.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  made->info.ai_addrlen = sizeof made->address;
  made->info.ai_addr = (struct sockaddr *)&made->address;
  made->info.ai_canonname = ours;
  return &made->info;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  const char *port = getenv("FAULTS_RESOLVER");
  size_t length = name ? strlen(name) : 0;
  if (!port || length < 5 || strcmp(name + length - 5, ".test") != 0)
    return real_getaddrinfo(name, service, hints, found);
  char answer[512], *rest = NULL;
  int failed = ask(name, atoi(port), answer, sizeof answer);
  if (failed) return failed;
  struct addrinfo **next = found;
  *found = NULL;
  for (char *word = strtok_r(answer, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    *next = entry(word, service ? atoi(service) : 0);
    if (*next) next = &(*next)->ai_next;
  }
  return *found ? 0 : EAI_NODATA;
}

void freeaddrinfo(struct addrinfo *list) {
  if (!list || list->ai_canonname != ours) {
    if (list) real_freeaddrinfo(list);
    return;
  }
  while (list) {
    struct addrinfo *next = list->ai_next;
    free(list);
    list = next;
  }
}
