// The engines of the router benchmark: one epoll loop that serves several ports, cheap enough not
// to limit the measurement. A word in the request's body selects the response: mode=burst (20 events
// back to back, each in a write of its own), mode=once (the same in a single write), mode=paced (20 events, one every
// 5 ms), otherwise 400 bytes of JSON.
//
//   cc -O2 -o upstream upstream.c && ./upstream 9101 9102 9103 9104
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 20
#define EVENT_BYTES 230
#define PACE_NS 5000000LL
#define FDS_MAX 65536
#define BODY_MAX (1 << 20)

struct connection {
  char *input;
  size_t length;
  int events_left;
  unsigned generation;
};
static struct connection connections[FDS_MAX];
static char is_listener[FDS_MAX];

// All paces are equal, so due times come in order and a ring serves as timer queue.
struct due { int fd; unsigned generation; int64_t at; };
static struct due ring[1 << 17];
static unsigned ring_head, ring_tail;

static char json_answer[1024], event[512], models_answer[512], empty_answer[128];
static size_t json_length, event_length, models_length, empty_length;
static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
static char whole_stream[8192];
static size_t whole_length;
static const char last_chunk[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void drop(int fd) {
  free(connections[fd].input);
  connections[fd].input = NULL;
  connections[fd].length = 0;
  connections[fd].events_left = 0;
  connections[fd].generation++;
  close(fd);
}

static void put(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN) continue;
      return;
    }
    bytes += n;
    length -= (size_t)n;
  }
}

static void put_event(int fd) { put(fd, event, event_length); }

static void pace(int fd) {
  ring[ring_tail++ & ((1 << 17) - 1)] =
      (struct due){fd, connections[fd].generation, now_ns() + PACE_NS};
}

static void answer(int fd, const char *request, size_t head, size_t length) {
  if (strncmp(request, "POST", 4) != 0) {
    if (memmem(request, head, "/v1/models", 10)) put(fd, models_answer, models_length);
    else put(fd, empty_answer, empty_length);
    return;
  }
  const char *body = request + head;
  if (memmem(body, length - head, "mode=burst", 10)) {
    put(fd, stream_head, sizeof stream_head - 1);
    for (int i = 0; i < EVENTS; i++) put_event(fd);
    put(fd, last_chunk, sizeof last_chunk - 1);
  } else if (memmem(body, length - head, "mode=once", 9)) {
    put(fd, whole_stream, whole_length);
  } else if (memmem(body, length - head, "mode=paced", 10)) {
    put(fd, stream_head, sizeof stream_head - 1);
    connections[fd].events_left = EVENTS;
    pace(fd);
  } else {
    put(fd, json_answer, json_length);
  }
}

// Returns 0 when the connection is gone.
static int on_input(int fd) {
  struct connection *c = &connections[fd];
  if (!c->input) c->input = malloc(BODY_MAX);
  ssize_t n = recv(fd, c->input + c->length, BODY_MAX - c->length, 0);
  if (n < 0 && errno == EAGAIN) return 1;
  if (n <= 0) return 0;
  c->length += (size_t)n;
  for (;;) {
    char *end = memmem(c->input, c->length, "\r\n\r\n", 4);
    if (!end) return 1;
    size_t head = (size_t)(end - c->input) + 4;
    size_t body = 0;
    char saved = *end;
    *end = 0;
    char *field = strcasestr(c->input, "\r\ncontent-length:");
    if (field) body = strtoul(field + 17, NULL, 10);
    *end = saved;
    if (c->length < head + body) return 1;
    answer(fd, c->input, head, head + body);
    c->length -= head + body;
    memmove(c->input, c->input + head + body, c->length);
    if (c->length == 0) return 1;
  }
}

static void fire(int64_t now) {
  while (ring_head != ring_tail) {
    struct due *d = &ring[ring_head & ((1 << 17) - 1)];
    if (d->at > now) return;
    ring_head++;
    struct connection *c = &connections[d->fd];
    if (d->generation != c->generation || c->events_left == 0) continue;
    put_event(d->fd);
    if (--c->events_left == 0) put(d->fd, last_chunk, sizeof last_chunk - 1);
    else pace(d->fd);
  }
}

static void prepare(void) {
  char payload[512];
  memset(payload, 'x', sizeof payload);
  json_length = (size_t)sprintf(json_answer,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n"
      "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":"
      "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%.*s\"},\"finish_reason\":"
      "\"stop\"}],\"usage\":{\"prompt_tokens\":500,\"total_tokens\":520,\"completion_tokens\":20}}",
      160, payload);
  char *body = strstr(json_answer, "\r\n\r\n") + 4;
  size_t have = json_length - (size_t)(body - json_answer);
  if (have > 400) { fprintf(stderr, "json answer has %zu bytes\n", have); exit(1); }
  memset(body + have, ' ', 400 - have);
  json_length += 400 - have;
  int n = sprintf(event, "%x\r\ndata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","
      "\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", EVENT_BYTES);
  int prefix = (int)(strchr(event, '\n') - event) + 1;
  const char suffix[] = "\"},\"finish_reason\":null}]}\n\n";
  int fill = EVENT_BYTES - (n - prefix) - (int)(sizeof suffix - 1);
  n += sprintf(event + n, "%.*s%s\r\n", fill, payload, suffix);
  event_length = (size_t)n;
  char *end = whole_stream + sprintf(whole_stream, "%s", stream_head);
  for (int i = 0; i < EVENTS; i++) end += sprintf(end, "%s", event);
  end += sprintf(end, "%s", last_chunk);
  whole_length = (size_t)(end - whole_stream);
  const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"object\":\"model\"}]}";
  models_length = (size_t)sprintf(models_answer,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
      sizeof models - 1, models);
  empty_length = (size_t)sprintf(empty_answer,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

int main(int count, char **ports) {
  signal(SIGPIPE, SIG_IGN);
  prepare();
  int loop = epoll_create1(0);
  for (int i = 1; i < count; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(ports[i])),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) { perror("listen"); return 1; }
    is_listener[fd] = 1;
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
  }
  struct epoll_event ready[512];
  for (;;) {
    int wait = -1;
    if (ring_head != ring_tail) {
      int64_t left = ring[ring_head & ((1 << 17) - 1)].at - now_ns();
      wait = left <= 0 ? 0 : (int)((left + 999999) / 1000000);
    }
    int n = epoll_wait(loop, ready, 512, wait);
    for (int i = 0; i < n; i++) {
      int fd = ready[i].data.fd;
      if (is_listener[fd]) {
        int client, on = 1;
        while ((client = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          if (client >= FDS_MAX) { close(client); continue; }
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          struct epoll_event e = {.events = EPOLLIN, .data.fd = client};
          epoll_ctl(loop, EPOLL_CTL_ADD, client, &e);
        }
      } else if (!on_input(fd)) drop(fd);
    }
    fire(now_ns());
  }
}
