"""The openai package, unmodified, as applications use it: one test per use."""

import asyncio
import subprocess
import sys
import unittest
from typing import Literal

import openai
from pydantic import BaseModel, Field

from endpoint import (
    API_KEY,
    MODEL,
    URL,
    WEATHER_SCHEMA,
    assert_weather,
    running_requests,
    wait_until_idle,
)

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=API_KEY, max_retries=0, timeout=60)
MESSAGES = [{"role": "user", "content": "Tell me of the sea."}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}]


class Weather(BaseModel):
    city: Literal["Paris", "Oslo"]
    days: int = Field(ge=1, le=14)


class Chat(unittest.TestCase):
    def test_an_answer_has_text_and_usage(self):
        answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=12)
        self.assertEqual(answer.model, MODEL)
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertGreater(len(answer.choices[0].message.content), 10)
        self.assertEqual(answer.usage.completion_tokens, 12)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + 12)

    def test_a_stream_adds_up_to_the_whole_answer(self):
        ask = {"model": MODEL, "messages": MESSAGES, "max_tokens": 30}
        whole = client.chat.completions.create(**ask)
        chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        deltas = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        self.assertEqual("".join(deltas), whole.choices[0].message.content)
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, 30)
        self.assertEqual({chunk.id for chunk in chunks}, {chunks[0].id})

    def test_the_stream_helper_builds_the_same_answer(self):
        # Without a limit, because the helper reports a truncated response as an error.
        ask = {"model": MODEL, "messages": MESSAGES}
        whole = client.chat.completions.create(**ask)
        with client.chat.completions.stream(**ask) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        self.assertLessEqual({"chunk", "content.delta", "content.done"}, kinds)
        self.assertEqual(final.choices[0].message.content, whole.choices[0].message.content)
        self.assertEqual(final.choices[0].finish_reason, "stop")

    def test_several_choices_and_log_probabilities_are_given(self):
        answer = client.chat.completions.create(
            model=MODEL, messages=MESSAGES, max_tokens=5, n=3, logprobs=True, top_logprobs=2
        )
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        for choice in answer.choices:
            self.assertEqual(len(choice.logprobs.content), 5)
            for token in choice.logprobs.content:
                self.assertLessEqual(token.logprob, 0)
                self.assertEqual(len(token.top_logprobs), 2)

    def test_a_required_tool_call_fits_its_schema(self):
        for tool_choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
            answer = client.chat.completions.create(
                model=MODEL, messages=MESSAGES, tools=TOOLS, tool_choice=tool_choice, max_tokens=400
            )
            (call,) = answer.choices[0].message.tool_calls
            self.assertEqual(call.function.name, "get_weather")
            assert_weather(call.function.arguments)

    def test_a_streamed_tool_call_fits_its_schema(self):
        with client.chat.completions.stream(
            model=MODEL, messages=MESSAGES, tools=TOOLS, tool_choice="required", max_tokens=400
        ) as stream:
            final = stream.get_final_completion()
        (call,) = final.choices[0].message.tool_calls
        self.assertEqual(final.choices[0].finish_reason, "tool_calls")
        self.assertEqual(call.function.name, "get_weather")
        assert_weather(call.function.arguments)

    def test_the_result_of_a_tool_is_taken_back(self):
        first = client.chat.completions.create(
            model=MODEL, messages=MESSAGES, tools=TOOLS, tool_choice="required", max_tokens=400
        )
        message = first.choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": '{"celsius": 7}'}
        second = client.chat.completions.create(
            model=MODEL, messages=[*MESSAGES, message, result], tools=TOOLS, max_tokens=8
        )
        self.assertGreater(second.usage.prompt_tokens, first.usage.prompt_tokens)
        self.assertGreater(len(second.choices[0].message.content), 0)

    def test_parse_returns_the_model_of_pydantic(self):
        answer = client.chat.completions.parse(model=MODEL, messages=MESSAGES, response_format=Weather)
        parsed = answer.choices[0].message.parsed
        self.assertIsInstance(parsed, Weather)
        self.assertEqual(answer.choices[0].finish_reason, "stop")

    def test_parse_returns_the_arguments_of_a_tool_as_the_model_of_pydantic(self):
        answer = client.chat.completions.parse(
            model=MODEL,
            messages=MESSAGES,
            tools=[openai.pydantic_function_tool(Weather)],
            tool_choice="required",
        )
        (call,) = answer.choices[0].message.tool_calls
        self.assertIsInstance(call.function.parsed_arguments, Weather)

    def test_parse_says_when_the_limit_cut_the_answer(self):
        with self.assertRaises(openai.LengthFinishReasonError):
            client.chat.completions.parse(model=MODEL, messages=MESSAGES, response_format=Weather, max_tokens=1)


class Completions(unittest.TestCase):
    def test_prompts_are_text_token_ids_or_lists_of_them(self):
        for prompt, choices in (("water", 1), ([11, 12, 13], 1), (["water", "stone"], 2), ([[11, 12], [13]], 2)):
            answer = client.completions.create(model=MODEL, prompt=prompt, max_tokens=4)
            self.assertEqual(len(answer.choices), choices)
            self.assertEqual(answer.usage.completion_tokens, 4 * choices)
        self.assertEqual(client.completions.create(model=MODEL, prompt=[11, 12, 13]).usage.prompt_tokens, 3)

    def test_echo_gives_the_prompt_back(self):
        answer = client.completions.create(model=MODEL, prompt="water and stone", max_tokens=4, echo=True)
        self.assertTrue(answer.choices[0].text.startswith("water and stone"))

    def test_a_stop_string_ends_the_answer_before_it(self):
        whole = client.completions.create(model=MODEL, prompt="water", max_tokens=20).choices[0].text
        stop = whole.split()[5]
        cut = client.completions.create(model=MODEL, prompt="water", max_tokens=20, stop=stop).choices[0]
        self.assertEqual(cut.finish_reason, "stop")
        self.assertEqual(cut.text, whole[: whole.index(stop)])

    def test_a_stream_adds_up_to_the_whole_answer(self):
        ask = {"model": MODEL, "prompt": "water", "max_tokens": 25}
        whole = client.completions.create(**ask).choices[0].text
        chunks = list(client.completions.create(**ask, stream=True))
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks), whole)
        self.assertEqual(chunks[-1].choices[0].finish_reason, "length")


class Responses(unittest.TestCase):
    def test_an_answer_has_text_and_usage(self):
        answer = client.responses.create(model=MODEL, input="Tell me of the sea.", max_output_tokens=20)
        self.assertEqual(answer.object, "response")
        self.assertEqual(answer.status, "incomplete")
        self.assertEqual(answer.incomplete_details.reason, "max_output_tokens")
        self.assertEqual(answer.usage.output_tokens, 20)
        self.assertGreater(len(answer.output_text), 10)

    def test_a_stream_helper_builds_the_same_answer(self):
        ask = {"model": MODEL, "input": "Tell me of the sea.", "max_output_tokens": 20}
        whole = client.responses.create(**ask)
        with client.responses.stream(**ask) as stream:
            events = list(stream)
            final = stream.get_final_response()
        self.assertEqual(events[0].type, "response.created")
        # At the limit vLLM also ends with this event: only the status says that the response is
        # incomplete.
        self.assertIn(events[-1].type, ("response.completed", "response.incomplete"))
        self.assertEqual([event.sequence_number for event in events if event.type == "response.created"], [0])
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        self.assertEqual("".join(deltas), whole.output_text)
        self.assertEqual(final.output_text, whole.output_text)

    def test_parse_returns_the_model_of_pydantic(self):
        answer = client.responses.parse(model=MODEL, input="Tell me of the sea.", text_format=Weather)
        self.assertIsInstance(answer.output_parsed, Weather)

    def test_a_required_function_call_fits_its_schema(self):
        tool = {"type": "function", "name": "get_weather", "parameters": WEATHER_SCHEMA, "strict": True}
        answer = client.responses.create(
            model=MODEL, input="Tell me of the sea.", tools=[tool], tool_choice="required"
        )
        calls = [item for item in answer.output if item.type == "function_call"]
        self.assertEqual([call.name for call in calls], ["get_weather"])
        assert_weather(calls[0].arguments)


class Listing(unittest.TestCase):
    def test_the_model_is_listed(self):
        models = client.models.list().data
        self.assertEqual([(model.id, model.owned_by) for model in models], [(MODEL, "vllm")])


class Errors(unittest.TestCase):
    def test_an_unknown_model_is_not_found(self):
        for ask in (
            lambda: client.chat.completions.create(model="nope", messages=MESSAGES),
            lambda: client.completions.create(model="nope", prompt="water"),
            lambda: client.responses.create(model="nope", input="water"),
        ):
            with self.assertRaises(openai.NotFoundError) as refused:
                ask()
            self.assertIn("nope", refused.exception.message)

    def test_what_vllm_refuses_is_a_bad_request(self):
        for wrong, word in (
            ({"temperature": -1}, "temperature"),
            ({"top_p": 2}, "top_p"),
            ({"max_tokens": 100_000}, "max_tokens"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"messages": "hello"}, "messages"),
        ):
            with self.assertRaises(openai.BadRequestError, msg=str(wrong)) as refused:
                client.chat.completions.create(**{"model": MODEL, "messages": MESSAGES, **wrong})
            self.assertIn(word, str(refused.exception.body), wrong)

    def test_a_model_that_writes_gives_no_embeddings(self):
        with self.assertRaises((openai.BadRequestError, openai.NotFoundError)):
            client.embeddings.create(model=MODEL, input="water")

    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(openai.AuthenticationError):
            client.with_options(api_key="wrong").chat.completions.create(model=MODEL, messages=MESSAGES)


class Leaving(unittest.TestCase):
    """8000 tokens take the engine about 50 s: if it is idle earlier, the disconnect ended the request."""

    def test_a_client_that_times_out_frees_its_request(self):
        impatient = client.with_options(timeout=0.5)
        with self.assertRaises(openai.APITimeoutError):
            impatient.completions.create(
                model=MODEL, prompt="water", max_tokens=8000, extra_body={"ignore_eos": True}
            )
        wait_until_idle()

    def test_a_client_that_leaves_a_stream_frees_its_request(self):
        stream = client.completions.create(
            model=MODEL, prompt="water", max_tokens=8000, stream=True, extra_body={"ignore_eos": True}
        )
        for seen, _ in enumerate(stream):
            if seen == 5:
                break
        self.assertEqual(running_requests(), 1)
        stream.close()
        wait_until_idle()


class ManyAtOnce(unittest.TestCase):
    def test_fifty_streams_at_once_are_all_whole(self):
        streams, tokens = 50, 200
        # A separate process, because fifty streams leave this one's threads no time.
        watch = "import endpoint, time\nwhile True: print(endpoint.running_requests(), flush=True); time.sleep(0.05)"

        async def one(many: openai.AsyncOpenAI, number: int) -> str:
            parts: list[str] = []
            charged = 0
            async for chunk in await many.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": f"Tell me of sea number {number}."}],
                max_tokens=tokens,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"ignore_eos": True},
            ):
                if chunk.usage:
                    charged = chunk.usage.completion_tokens
                if chunk.choices and chunk.choices[0].delta.content:
                    parts.append(chunk.choices[0].delta.content)
            self.assertEqual(charged, tokens)
            return "".join(parts)

        async def all_of_them() -> list[str]:
            async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=API_KEY, max_retries=0) as many:
                return await asyncio.gather(*(one(many, number) for number in range(streams)))

        watcher = subprocess.Popen([sys.executable, "-c", watch], stdout=subprocess.PIPE, text=True)
        try:
            texts = asyncio.run(all_of_them())
        finally:
            watcher.terminate()
        counts, _ = watcher.communicate(timeout=10)
        self.assertEqual(len(set(texts)), streams)
        self.assertGreater(max(int(count) for count in counts.split()), streams // 2)

    def test_cancelling_a_task_frees_its_request(self):
        async def start_and_cancel() -> None:
            async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=API_KEY, max_retries=0) as many:
                task = asyncio.create_task(
                    many.completions.create(
                        model=MODEL, prompt="water", max_tokens=8000, extra_body={"ignore_eos": True}
                    )
                )
                while await asyncio.to_thread(running_requests) == 0:
                    await asyncio.sleep(0.01)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task

        asyncio.run(start_and_cancel())
        wait_until_idle()


if __name__ == "__main__":
    unittest.main()
