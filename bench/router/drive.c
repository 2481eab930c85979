// Sends exact numbers of requests to routers, in a closed loop over keep-alive connections.
//
//   drive BODIES
//
// BODIES has one request body per line. Each line of standard input, "port connections requests", is one
// batch; the answer is "ok", or what went wrong. Connections stay open between batches.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUTERS_MAX = 16, CONNECTIONS_MAX = 256, BODIES_MAX = 1000, HEAD_MAX = 4096 };

struct connection {
  int fd;
  int isBusy;
  enum { HEAD, LENGTH, CHUNKED } state;
  char head[HEAD_MAX];
  int headLength;
  long remaining;
  char tail[16];
};

struct router {
  int port;
  struct connection connections[CONNECTIONS_MAX];
};

static char *requests[BODIES_MAX];
static int lengths[BODIES_MAX];
static int requestCount = 0, nextRequest = 0;
static struct router routers[ROUTERS_MAX];
static int routerCount = 0;
static int poller;

static void fail(const char *why) {
  printf("%s\n", why);
  fflush(stdout);
  exit(1);
}

static void readBodies(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) fail("cannot read the bodies");
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while ((length = getline(&line, &room, file)) > 0 && requestCount < BODIES_MAX) {
    if (line[length - 1] == '\n') length--;
    char *request = malloc(length + 256);
    int head = sprintf(request,
                       "POST /v1/chat/completions HTTP/1.1\r\nHost: router\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zd\r\n\r\n",
                       length);
    memcpy(request + head, line, length);
    requests[requestCount] = request;
    lengths[requestCount++] = head + length;
  }
}

static void sendRequest(struct connection *connection) {
  char *request = requests[nextRequest];
  int left = lengths[nextRequest];
  nextRequest = (nextRequest + 1) % requestCount;
  while (left > 0) {
    ssize_t sent = write(connection->fd, request, left);
    if (sent <= 0) fail("cannot send");
    request += sent;
    left -= sent;
  }
  connection->isBusy = 1;
  connection->state = HEAD;
  connection->headLength = 0;
  memset(connection->tail, 0, sizeof connection->tail);
}

/** Returns whether the response is complete. */
static int receive(struct connection *connection, const char *bytes, int length) {
  if (connection->state == HEAD) {
    int before = connection->headLength;
    int taken = length < HEAD_MAX - 1 - before ? length : HEAD_MAX - 1 - before;
    memcpy(connection->head + before, bytes, taken);
    connection->headLength += taken;
    connection->head[connection->headLength] = 0;
    char *end = strstr(connection->head, "\r\n\r\n");
    if (end == NULL && taken < length) fail("the head is too long");
    if (end == NULL) return 0;
    if (strncmp(connection->head, "HTTP/1.1 200", 12) != 0) fail("a status other than 200");
    *end = 0;
    char *announced = strcasestr(connection->head, "content-length: ");
    int rest = end + 4 - connection->head - before;
    bytes += rest;
    length -= rest;
    connection->state = announced != NULL ? LENGTH : CHUNKED;
    connection->remaining = announced != NULL ? atol(announced + 16) : 0;
  }
  if (connection->state == LENGTH) {
    connection->remaining -= length;
    return connection->remaining <= 0;
  }
  // A chunked body ends with an empty chunk: keep its last five bytes across reads.
  int kept = length < 5 ? length : 5;
  memcpy(connection->tail + 5, bytes + length - kept, kept);
  memmove(connection->tail, connection->tail + kept, 5);
  return memcmp(connection->tail, "0\r\n\r\n", 5) == 0;
}

static struct router *routerAt(int port, int connections) {
  for (int i = 0; i < routerCount; i++)
    if (routers[i].port == port) return &routers[i];
  if (routerCount == ROUTERS_MAX) fail("too many routers");
  struct router *router = &routers[routerCount++];
  router->port = port;
  for (int i = 0; i < connections; i++) {
    struct connection *connection = &router->connections[i];
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(connection->fd, (void *)&address, sizeof address) != 0) fail("cannot connect");
    int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event);
  }
  return router;
}

static void batch(struct router *router, int connections, int count) {
  static char bytes[65536];
  int sent = 0, done = 0;
  while (sent < connections && sent < count) sendRequest(&router->connections[sent++]);
  while (done < count) {
    struct epoll_event events[64];
    int ready = epoll_wait(poller, events, 64, 20000);
    if (ready <= 0) fail("no response within 20 s");
    for (int i = 0; i < ready; i++) {
      struct connection *connection = events[i].data.ptr;
      ssize_t length = read(connection->fd, bytes, sizeof bytes);
      if (length <= 0) fail("a router closed a connection");
      if (!connection->isBusy || !receive(connection, bytes, length)) continue;
      connection->isBusy = 0;
      done++;
      if (sent < count) {
        sent++;
        sendRequest(connection);
      }
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 2) fail("usage: drive BODIES");
  readBodies(argv[1]);
  poller = epoll_create1(0);
  int port, connections, count;
  while (scanf("%d %d %d", &port, &connections, &count) == 3) {
    if (connections > CONNECTIONS_MAX) fail("too many connections");
    batch(routerAt(port, connections), connections, count);
    printf("ok\n");
    fflush(stdout);
  }
  return 0;
}
