"""The litellm package, unmodified, with its provider for vLLM: one test per use."""

import asyncio
import os
import unittest

# Otherwise the import downloads prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # noqa: E402

from endpoint import API_KEY, MODEL, URL, WEATHER_SCHEMA, assert_weather, running_requests, wait_until_idle  # noqa: E402

MESSAGES = [{"role": "user", "content": "Tell me of the sea."}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}]
COMMON = {
    "model": f"hosted_vllm/{MODEL}",
    "api_base": f"{URL}/v1",
    "api_key": API_KEY,
    "num_retries": 0,
    "timeout": 60,
}


class Chat(unittest.TestCase):
    def test_an_answer_has_text_and_usage(self):
        answer = litellm.completion(**COMMON, messages=MESSAGES, max_tokens=12)
        self.assertGreater(len(answer.choices[0].message.content), 10)
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.usage.completion_tokens, 12)

    def test_a_stream_adds_up_to_the_whole_answer(self):
        ask = {**COMMON, "messages": MESSAGES, "max_tokens": 30}
        whole = litellm.completion(**ask)
        chunks = list(litellm.completion(**ask, stream=True, stream_options={"include_usage": True}))
        built = litellm.stream_chunk_builder(chunks, messages=MESSAGES)
        self.assertEqual(built.choices[0].message.content, whole.choices[0].message.content)
        self.assertEqual(built.usage.completion_tokens, 30)
        self.assertEqual(built.usage.prompt_tokens, whole.usage.prompt_tokens)

    def test_a_required_tool_call_fits_its_schema(self):
        answer = litellm.completion(
            **COMMON, messages=MESSAGES, tools=TOOLS, tool_choice="required", max_tokens=400
        )
        (call,) = answer.choices[0].message.tool_calls
        self.assertEqual(call.function.name, "get_weather")
        assert_weather(call.function.arguments)

    def test_fields_of_vllm_pass_through_it(self):
        answer = litellm.completion(**COMMON, messages=MESSAGES, max_tokens=300, ignore_eos=True)
        self.assertEqual(answer.usage.completion_tokens, 300)


class Completions(unittest.TestCase):
    def test_a_prompt_is_completed(self):
        answer = litellm.text_completion(**COMMON, prompt="water", max_tokens=9)
        self.assertEqual(answer.usage.completion_tokens, 9)
        self.assertGreater(len(answer.choices[0].text), 10)


class Errors(unittest.TestCase):
    def test_errors_are_those_of_the_package(self):
        for kind, wrong in (
            (litellm.NotFoundError, {"model": "hosted_vllm/nope"}),
            (litellm.BadRequestError, {"temperature": -1}),
            (litellm.BadRequestError, {"max_tokens": 100_000}),
            (litellm.AuthenticationError, {"api_key": "wrong"}),
        ):
            with self.assertRaises(kind, msg=str(wrong)):
                litellm.completion(**{**COMMON, "messages": MESSAGES, **wrong})

    def test_a_prompt_that_is_too_long_is_told_as_such(self):
        long = [{"role": "user", "content": "water " * 50_000}]
        with self.assertRaises(litellm.ContextWindowExceededError):
            litellm.completion(**COMMON, messages=long)


class ManyAtOnce(unittest.TestCase):
    def test_twenty_at_once_are_all_whole(self):
        async def one(number: int) -> str:
            content = f"Tell me of sea number {number}."
            answer = await litellm.acompletion(
                **COMMON, messages=[{"role": "user", "content": content}], max_tokens=40
            )
            ends_by_itself = answer.choices[0].finish_reason == "stop"
            self.assertTrue(answer.usage.completion_tokens == 40 or ends_by_itself, answer)
            return answer.choices[0].message.content

        async def all_of_them() -> list[str]:
            return await asyncio.gather(*(one(number) for number in range(20)))

        self.assertEqual(len(set(asyncio.run(all_of_them()))), 20)


class Leaving(unittest.TestCase):
    def test_a_client_that_times_out_frees_its_request(self):
        """8000 tokens take the engine about 50 s: if it is idle earlier, the disconnect ended the request."""
        with self.assertRaises(litellm.Timeout):
            litellm.completion(**{**COMMON, "timeout": 0.5}, messages=MESSAGES, max_tokens=8000, ignore_eos=True)
        self.assertLessEqual(running_requests(), 1)
        wait_until_idle()


if __name__ == "__main__":
    unittest.main()
