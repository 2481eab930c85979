"""The openai package, unmodified, with 64 requests at once, against `spillway up` with three engines."""

import asyncio
import unittest
from collections import Counter

import openai

from endpoint import API_KEY, ENGINE_URLS, MODEL, URL, wait_until_seen_idle

AT_ONCE = 64
TURNS = 4


def words_of(number: int) -> str:
    return f"Tell me of sea number {number}."


def asynchronous(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=API_KEY, max_retries=0, timeout=120)


class Fleet(unittest.IsolatedAsyncioTestCase):
    """An engine's text is a function of its prompt: a request of its own to one engine gives the right answer."""

    async def asyncSetUp(self):
        # The debug mode of the test case would slow 64 requests down.
        asyncio.get_running_loop().set_debug(False)
        # Requests to one engine alone are load that the router has not placed.
        wait_until_seen_idle()
        self.fleet = asynchronous(URL)
        self.alone = asynchronous(ENGINE_URLS[0])

    async def asyncTearDown(self):
        await self.fleet.close()
        await self.alone.close()

    def assert_even(self, engines: list[str]) -> None:
        """Each engine has its share, within a quarter of it."""
        shares = Counter(engines)
        names = {f"fleet-{number + 1}" for number in range(len(ENGINE_URLS))}
        self.assertEqual(set(shares), names, shares)
        fair = AT_ONCE / len(ENGINE_URLS)
        self.assertLessEqual(max(abs(share - fair) for share in shares.values()), fair / 4, shares)

    async def at_once(self, ask) -> list:
        return await asyncio.gather(*(ask(self.fleet, number) for number in range(AT_ONCE)))

    async def expected(self, ask) -> list:
        return await asyncio.gather(*(ask(self.alone, number) for number in range(AT_ONCE)))

    async def test_chats(self):
        async def ask(client: openai.AsyncOpenAI, number: int) -> tuple[str, str | None]:
            response = await client.chat.completions.with_raw_response.create(
                model=MODEL,
                messages=[{"role": "user", "content": words_of(number)}],
                max_tokens=24,
                extra_body={"ignore_eos": True},
            )
            answer = response.parse()
            self.assertEqual(answer.usage.completion_tokens, 24)
            return answer.choices[0].message.content, response.headers.get("x-spillway-engine-name")

        answers = await self.at_once(ask)
        self.assert_even([engine for _, engine in answers])
        expected = await self.expected(ask)
        self.assertEqual([text for text, _ in answers], [text for text, _ in expected])

    async def test_streams(self):
        async def ask(client: openai.AsyncOpenAI, number: int) -> tuple[str, str | None]:
            response = await client.chat.completions.with_raw_response.create(
                model=MODEL,
                messages=[{"role": "user", "content": words_of(number)}],
                max_tokens=24,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"ignore_eos": True},
            )
            chunks = [chunk async for chunk in response.parse()]
            self.assertEqual(chunks[-1].usage.completion_tokens, 24)
            self.assertEqual(len({chunk.id for chunk in chunks}), 1)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            return text, response.headers.get("x-spillway-engine-name")

        answers = await self.at_once(ask)
        self.assert_even([engine for _, engine in answers])
        expected = await self.expected(ask)
        self.assertEqual([text for text, _ in answers], [text for text, _ in expected])

    async def test_completions(self):
        async def ask(client: openai.AsyncOpenAI, number: int) -> tuple[str, str | None]:
            response = await client.completions.with_raw_response.create(
                model=MODEL, prompt=words_of(number), max_tokens=24
            )
            return response.parse().choices[0].text, response.headers.get("x-spillway-engine-name")

        answers = await self.at_once(ask)
        self.assert_even([engine for _, engine in answers])
        expected = await self.expected(ask)
        self.assertEqual([text for text, _ in answers], [text for text, _ in expected])

    async def test_conversations_by_previous_response_id(self):
        async def converse(client: openai.AsyncOpenAI, number: int) -> tuple[list[str], set[str | None]]:
            previous: str | None = None
            texts: list[str] = []
            engines: set[str | None] = set()
            for turn in range(TURNS):
                ask = {
                    "model": MODEL,
                    "input": words_of(number) if turn == 0 else f"And number {number + turn}?",
                    "max_output_tokens": 16,
                    **({"previous_response_id": previous} if previous else {}),
                }
                if turn % 2 == 0:
                    raw = await client.responses.with_raw_response.create(**ask)
                    answer = raw.parse()
                else:
                    raw = await client.responses.with_raw_response.create(**ask, stream=True)
                    answer = [event async for event in raw.parse()][-1].response
                self.assertIn(answer.status, ("completed", "incomplete"))
                self.assertEqual(answer.previous_response_id, previous)
                engines.add(raw.headers.get("x-spillway-engine-name"))
                texts.append(answer.output_text)
                previous = answer.id
            again = await client.responses.retrieve(previous)
            self.assertEqual(again.output_text, texts[-1])
            return texts, engines

        answers = await self.at_once(converse)
        self.assertEqual({len(engines) for _, engines in answers}, {1}, "a conversation stays where it is")
        self.assert_even([engine for _, engines in answers for engine in engines])
        expected = await self.expected(converse)
        self.assertEqual([texts for texts, _ in answers], [texts for texts, _ in expected])


if __name__ == "__main__":
    unittest.main()
