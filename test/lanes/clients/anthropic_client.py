"""The anthropic package, unmodified, against /v1/messages: one test per use."""

import asyncio
import unittest

import anthropic

from endpoint import (
    API_KEY,
    MODEL,
    URL,
    WEATHER_SCHEMA,
    assert_weather,
    generated_tokens,
    running_requests,
    wait_until_idle,
)

# vLLM accepts bearer tokens only; the package sends one for auth_token, not for api_key.
client = anthropic.Anthropic(base_url=URL, auth_token=API_KEY, max_retries=0, timeout=60)
MESSAGES = [{"role": "user", "content": "Tell me of the sea."}]
LONG = [{"role": "user", "content": "Tell me of the sea. " * 100}]
TOOLS = [{"name": "get_weather", "description": "Forecast of a city", "input_schema": WEATHER_SCHEMA}]


def prompt_tokens(usage: anthropic.types.Usage) -> int:
    """Number of all prompt tokens: `input_tokens` excludes cached ones."""
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


class Messages(unittest.TestCase):
    def test_an_answer_has_text_and_usage(self):
        answer = client.messages.create(model=MODEL, max_tokens=12, messages=MESSAGES, system="Be brief.")
        self.assertEqual((answer.type, answer.role), ("message", "assistant"))
        self.assertEqual([block.type for block in answer.content], ["text"])
        self.assertGreater(len(answer.content[0].text), 10)
        self.assertEqual(answer.stop_reason, "max_tokens")
        self.assertEqual(answer.usage.output_tokens, 12)
        self.assertGreater(answer.usage.input_tokens, 5)

    def test_an_answer_that_ends_by_itself_says_so(self):
        answer = client.messages.create(model=MODEL, max_tokens=2000, messages=MESSAGES)
        self.assertEqual(answer.stop_reason, "end_turn")
        self.assertLess(answer.usage.output_tokens, 2000)

    def test_a_stop_sequence_ends_the_answer(self):
        whole = client.messages.create(model=MODEL, max_tokens=20, messages=MESSAGES).content[0].text
        stop = whole.split()[5]
        cut = client.messages.create(model=MODEL, max_tokens=20, messages=MESSAGES, stop_sequences=[stop])
        self.assertEqual(cut.content[0].text, whole[: whole.index(stop)])
        self.assertIn(cut.stop_reason, ("stop_sequence", "end_turn"))

    def test_the_stream_helper_builds_the_same_answer(self):
        ask = {"model": MODEL, "max_tokens": 30, "messages": MESSAGES}
        whole = client.messages.create(**ask)
        with client.messages.stream(**ask) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, whole.content[0].text)
        self.assertEqual(final.content[0].text, whole.content[0].text)
        self.assertEqual(final.stop_reason, "max_tokens")
        self.assertEqual(final.usage.output_tokens, 30)

    def test_raw_events_come_in_the_order_of_the_protocol(self):
        events = list(client.messages.create(model=MODEL, max_tokens=5, messages=MESSAGES, stream=True))
        kinds = [event.type for event in events if event.type != "content_block_delta"]
        self.assertEqual(
            kinds,
            ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"],
        )

    def test_tokens_are_counted_as_they_are_charged(self):
        counted = client.messages.count_tokens(model=MODEL, messages=MESSAGES, system="Be brief.")
        answer = client.messages.create(model=MODEL, max_tokens=1, messages=MESSAGES, system="Be brief.")
        self.assertEqual(counted.input_tokens, prompt_tokens(answer.usage))
        # The second time, the blocks of the prompt are cached and reported as such.
        again = client.messages.create(model=MODEL, max_tokens=1, messages=LONG, system="Be brief.")
        again = client.messages.create(model=MODEL, max_tokens=1, messages=LONG, system="Be brief.")
        self.assertGreater(again.usage.cache_read_input_tokens, again.usage.input_tokens)


class Tools(unittest.TestCase):
    def test_a_tool_that_must_be_used_is_called_with_input_that_fits(self):
        for tool_choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
            answer = client.messages.create(
                model=MODEL, max_tokens=400, messages=MESSAGES, tools=TOOLS, tool_choice=tool_choice
            )
            calls = [block for block in answer.content if block.type == "tool_use"]
            self.assertEqual([call.name for call in calls], ["get_weather"])
            self.assertEqual(answer.stop_reason, "tool_use")
            assert_weather(calls[0].input)

    def test_a_streamed_call_is_put_together_by_the_helper(self):
        with client.messages.stream(
            model=MODEL, max_tokens=400, messages=MESSAGES, tools=TOOLS, tool_choice={"type": "any"}
        ) as stream:
            final = stream.get_final_message()
        calls = [block for block in final.content if block.type == "tool_use"]
        self.assertEqual(len(calls), 1)
        assert_weather(calls[0].input)

    def test_the_result_of_a_tool_is_taken_back(self):
        first = client.messages.create(
            model=MODEL, max_tokens=400, messages=MESSAGES, tools=TOOLS, tool_choice={"type": "any"}
        )
        call = next(block for block in first.content if block.type == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "7 degrees"}
        second = client.messages.create(
            model=MODEL,
            max_tokens=8,
            tools=TOOLS,
            messages=[
                *MESSAGES,
                {"role": "assistant", "content": first.content},
                {"role": "user", "content": [result]},
            ],
        )
        self.assertGreater(prompt_tokens(second.usage), prompt_tokens(first.usage))
        self.assertEqual(second.content[0].type, "text")


class Errors(unittest.TestCase):
    def test_what_the_engine_refuses_is_an_exception_with_its_type(self):
        for kind, name, wrong in (
            (anthropic.NotFoundError, "NotFoundError", {"model": "nope"}),
            (anthropic.BadRequestError, "BadRequestError", {"max_tokens": 100_000}),
            (anthropic.BadRequestError, "Bad Request", {"messages": "hello"}),
            (anthropic.BadRequestError, "Bad Request", {"max_tokens": "many"}),
        ):
            ask = {"model": MODEL, "max_tokens": 5, "messages": MESSAGES, **wrong}
            with self.assertRaises(kind, msg=str(wrong)) as refused:
                client.messages.create(**ask)
            self.assertEqual(refused.exception.body["error"]["type"], name, wrong)

    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(anthropic.AuthenticationError):
            client.with_options(auth_token="wrong").messages.create(
                model=MODEL, max_tokens=5, messages=MESSAGES
            )


class ManyAtOnce(unittest.TestCase):
    def test_twenty_streams_at_once_are_all_whole(self):
        async def one(many: anthropic.AsyncAnthropic, number: int) -> str:
            content = f"Tell me of sea number {number}."
            async with many.messages.stream(
                model=MODEL, max_tokens=60, messages=[{"role": "user", "content": content}]
            ) as stream:
                final = await stream.get_final_message()
            self.assertTrue(final.usage.output_tokens == 60 or final.stop_reason == "end_turn", final)
            return final.content[0].text

        async def all_of_them() -> list[str]:
            async with anthropic.AsyncAnthropic(base_url=URL, auth_token=API_KEY, max_retries=0) as many:
                return await asyncio.gather(*(one(many, number) for number in range(20)))

        self.assertEqual(len(set(asyncio.run(all_of_them()))), 20)


class Leaving(unittest.TestCase):
    def test_a_client_that_leaves_a_stream_frees_its_request(self):
        ask = {"model": MODEL, "max_tokens": 8000, "messages": MESSAGES}
        whole = client.messages.create(**ask).usage.output_tokens
        before = generated_tokens()
        with client.messages.stream(**ask) as stream:
            next(iter(stream.text_stream))
            self.assertEqual(running_requests(), 1)
        wait_until_idle()
        # Equal questions get equal responses: fewer tokens can only be due to the disconnect.
        self.assertLess(generated_tokens() - before, whole)


if __name__ == "__main__":
    unittest.main()
