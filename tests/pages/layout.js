// What is wrong with the layout of a page as a person sees it: sentences, of which there should be none.
() => {
  // Longer ones, like a symbol of twenty letters, may be broken where there is no room.
  const LONGEST_WHOLE = 12
  const found = []
  const root = document.documentElement
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} px wide in ${root.clientWidth}`)

  const top = document.querySelector("dialog:modal") ?? document.body
  const clips = (style) => style.overflowX !== "visible" || style.overflowY !== "visible"

  /** The part of a rectangle of `element` that its scrolling and clipping ancestors show. */
  function shown({ left, right, top, bottom }, element) {
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      if (!clips(getComputedStyle(each))) continue
      const by = each.getBoundingClientRect()
      left = Math.max(left, by.left)
      right = Math.min(right, by.right)
      top = Math.max(top, by.top)
      bottom = Math.min(bottom, by.bottom)
    }
    return { left, right, top, bottom }
  }

  const boxes = []
  function note(rect, element, name) {
    const box = shown(rect, element)
    if (box.right - box.left > 1 && box.bottom - box.top > 1) boxes.push({ ...box, element, name })
  }

  const isFor = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".unseen")
  const texts = document.createTreeWalker(top, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const { currentNode: text } = texts
    const element = text.parentElement
    if (!text.data.trim() || !isFor(element)) continue
    const range = document.createRange()
    range.selectNodeContents(text)
    for (const rect of range.getClientRects()) note(rect, element, text.data.trim().slice(0, 40))
    // A line may end behind a hyphen, but not within a moment.
    const words = element.localName === "time" ? /\S+/g : /[^\s-]+/g
    for (const { 0: word, index } of text.data.matchAll(words)) {
      range.setStart(text, index)
      range.setEnd(text, index + word.length)
      const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)))
      if (word.length <= LONGEST_WHOLE && lines.size > 1) found.push(`“${word}” is broken`)
    }
  }
  for (const field of top.querySelectorAll("input")) if (isFor(field)) note(field.getBoundingClientRect(), field, "a field")

  for (const { left, right, name } of boxes) {
    if (left < -0.5 || right > root.clientWidth + 0.5) found.push(`“${name}” reaches from ${left} to ${right}`)
  }
  // Lines of one text touch: their boxes are higher than their letters.
  const apart = 3
  boxes.forEach((one, index) => {
    for (const other of boxes.slice(index + 1)) {
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left)
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top)
      if (one.element !== other.element && wide > 1 && high > apart) found.push(`“${one.name}” and “${other.name}” overlap`)
    }
  })
  return found
}
