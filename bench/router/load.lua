-- wrk: POSTs the bodies of a file in turn, one per line, all requests prepared beforehand.
local requests = {}
local next_request = 0

function init(args)
  for body in io.lines(args[1]) do
    requests[#requests + 1] =
      wrk.format("POST", "/v1/chat/completions", { ["Content-Type"] = "application/json" }, body)
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end
