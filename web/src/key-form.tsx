// Asks for the router's API key, without which the page has no data.
import { useState } from 'preact/hooks';

interface KeyFormProps {
  /** Whether the router has refused the key that was entered before. */
  readonly isRefused: boolean;
  readonly onKey: (key: string) => void;
}

export function KeyForm({ isRefused, onKey }: KeyFormProps) {
  const [key, setKey] = useState('');
  return (
    <form
      class="card key-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (key !== '') onKey(key);
      }}
    >
      <label for="api-key">
        {isRefused ? 'The router refused this API key.' : 'The router requires an API key.'}
      </label>
      <input
        id="api-key"
        type="password"
        autocomplete="off"
        aria-invalid={isRefused}
        value={key}
        onInput={(event) => setKey(event.currentTarget.value)}
      />
      <button type="submit">Connect</button>
      <p class="quiet">
        This tab keeps the key until it is closed, and sends it only to this router.
      </p>
    </form>
  );
}
