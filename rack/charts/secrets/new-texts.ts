// What takes the place of a secret's text that only the next apply makes, where its release is rendered to be shown. Pure.

/** It needs no quoting, as no generated text does: charts put some into addresses. */
export const NEW_TEXT = 'a-text-that-the-next-apply-makes'

/** How such a text is shown. */
export const SHOWN_NEW = '«new»'

/** A rendered text with `SHOWN_NEW` for each `NEW_TEXT`, also for one in Base64. */
export function showNewTexts(text: string): string {
  const encoded = Buffer.from(NEW_TEXT).toString('base64')
  return text.replaceAll(NEW_TEXT, SHOWN_NEW).replaceAll(encoded, SHOWN_NEW)
}
