#!/usr/bin/env python3
"""tales.py - writes little tales: somebody wants something, something is in the way, somebody else helps, and there is a reason for it.

A Tale keeps what has been said (who the hero is, what was lost and where, who helped and how), so that later sentences agree with earlier ones and
questions about it have answers.  Each plot is a method that appends sentences; each sentence is one of some ways to say it.

  tales.py [SEED]     prints one
"""
import random
import sys

from tale_world import (ABILITIES, ANIMALS, COLOURS, DISHES, FEARS, FOODS, NAMES, OBJECT, PLACES, PLANTS, POSSESSIVE, RIDDLES, THINGS, TRAITS, TROUBLES,
                        WEATHER)

NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']


def an(noun):
    return ('an ' if noun[0] in 'aeiou' else 'a ') + noun


def capital(text):
    return text[0].upper() + text[1:]


class Somebody:
    """a child, or an animal with a name"""

    def __init__(self, rng, kind=None, ability=None, apart=()):
        able = [a for a in ANIMALS if ability is None or ANIMALS[a][2] in ability]
        self.kind = kind or (rng.choice(able) if ability or rng.random() < 0.6 else rng.choice(['girl', 'boy']))
        self.he = {'girl': 'she', 'boy': 'he'}.get(self.kind) or rng.choice(['she', 'he'])
        names = NAMES['pet'] if self.kind in ANIMALS else NAMES[self.he]
        self.name = rng.choice([n for n in names if n not in apart])
        self.his, self.him = POSSESSIVE[self.he], OBJECT[self.he]
        self.trait = rng.choice(TRAITS)
        self.looks = ANIMALS[self.kind][4] if self.kind in ANIMALS else 'little'
        self.ability = ANIMALS[self.kind][2] if self.kind in ANIMALS else None

    @property
    def He(self):
        return capital(self.he)

    @property
    def His(self):
        return capital(self.his)


class Tale:
    def __init__(self, rng, hero=None):
        self.rng, self.lines, self.answers = rng, [], []
        self.hero = Somebody(rng, hero)
        self.place = rng.choice(list(PLACES))
        self.friend = None
        self.plot = rng.choice([self.lost, self.share, self.fear, self.cook, self.rescue, self.grow, self.riddle, self.race])
        self.plot()
        self.moral()

    def say(self, *ways):
        self.lines.append(self.rng.choice(ways))

    def ask(self, question, answer):
        self.answers.append((question, answer))

    def text(self):
        """its paragraphs; a line that begins with a line break begins one"""
        return ' '.join(self.lines).replace(' \n', '\n')

    def opening(self):
        h, (at, like) = self.hero, PLACES[self.place]
        self.say(f'Once upon a time there was {an(h.trait)} {h.kind} named {h.name}.', f'Once there lived {an(h.looks)} {h.kind}. {h.His} name was {h.name}.',
                 f'There was once {an(h.looks)} {h.kind} called {h.name}, who was very {h.trait}.', f'{h.name} was {an(h.trait)} {h.kind}.')
        if h.kind in ANIMALS:
            self.say(f'{h.name} lived in {ANIMALS[h.kind][0]}.', f'{h.His} home was {ANIMALS[h.kind][0]}.', f'{h.He} liked to eat {ANIMALS[h.kind][1]}.')
        kind, sign = self.rng.choice(WEATHER)
        self.say(f'One {kind} day {h.name} was {at}.', f'One {kind} morning {h.name} went for a walk {at}. {sign}', f'It was {an(kind)} day {at}. {like}',
                 f'On {an(kind)} afternoon {h.he} played {at}. {like}')
        self.ask('Who is the story about?', f'It is about {an(h.kind)} named {h.name}.')
        self.ask(f'Where was {h.name}?', f'{h.name} was {at}.')

    def meet(self, ability=None):
        h = self.hero
        self.friend = f = Somebody(self.rng, None, ability, (h.name,))
        self.say(f'\nThen {an(f.looks)} {f.kind} named {f.name} came by.', f'\nJust then {h.name} met {f.name}, {an(f.trait)} {f.kind}.',
                 f'\nSoon {an(f.kind)} came along the path. It was {f.name}.')
        return f

    def lost(self):
        self.opening()
        h, rng = self.hero, self.rng
        thing, colour = rng.choice(THINGS), rng.choice(COLOURS)
        how, where, abilities = rng.choice(TROUBLES)
        self.say(f'{h.He} had {an(colour)} {thing} with {h.him}.', f'{h.name} had brought {h.his} {colour} {thing}.',
                 f'{h.name} loved {h.his} {colour} {thing} more than anything.')
        self.say(f'But {how}.', f'Suddenly {how}.', f'Then {how}, and {h.name} could only watch.')
        self.say(f'Now the {thing} was {where}.', f'The {colour} {thing} was {where}, and {h.name} could not reach it.')
        self.say(f'{h.name} sat down and cried.', f'{h.name} was very sad.', f'"Oh no, my {thing}!" said {h.name}.')
        f = self.meet(abilities)
        do, did, reason = ABILITIES[f.ability]
        self.say(f'"Why are you sad?" asked {f.name}.', f'"What is wrong?" asked the {f.kind}.', f'"Can I help you?" asked {f.name}.')
        self.say(f'"My {thing} is {where}," said {h.name}.', f'"I lost my {colour} {thing}," said {h.name}. "It is {where}."')
        self.say(f'"I can {do}," said {f.name}, "because I have {reason}."', f'"Do not worry. I have {reason}, so I can {do}."',
                 f'"I am {an(f.kind)}," said {f.name}. "I can {do} and get it."')
        self.say(f'{f.name} {did} and came back with the {thing}.', f'The {f.kind} {did}, and soon {h.name} had the {colour} {thing} again.')
        self.say(f'"Thank you, {f.name}!" said {h.name}.', f'{h.name} hugged {f.name} and laughed.', f'{h.name} was so happy that {h.he} danced.')
        self.ask(f'What did {h.name} lose?', f'{h.name} lost {h.his} {colour} {thing}.')
        self.ask(f'What colour was the {thing}?', f'The {thing} was {colour}.')
        self.ask(f'Where was the {thing}?', f'The {thing} was {where}.')
        self.ask(f'Who helped {h.name}?', f'{f.name} the {f.kind} helped {h.name}, because {f.he} could {do}.')

    def share(self):
        self.opening()
        h, rng = self.hero, self.rng
        foods = rng.choice(list(FOODS))
        half = rng.randint(2, 5)
        self.say(f'{h.He} had {NUMBERS[2 * half]} {foods} in a basket.', f'{h.name} had found {NUMBERS[2 * half]} {foods}.',
                 f'{h.His} mother had given {h.him} {NUMBERS[2 * half]} {foods}.')
        f = self.meet()
        self.say(f'"I am so hungry," said {f.name}. "I have no {foods} at all."', f'{f.name} looked at the {foods}. "They smell so good," {f.he} said.')
        self.say(f'{h.name} thought about it. "{capital(NUMBERS[2 * half])} {foods} are too many for one," {h.he} said.',
                 f'At first {h.name} wanted to keep them all. But then {h.he} saw how thin {f.name} was.')
        self.say(f'So each of them got {NUMBERS[half]} {foods}.', f'They shared: {NUMBERS[half]} {foods} for {h.name} and {NUMBERS[half]} for {f.name}.')
        self.say('They sat in the grass and ate, and it tasted better than ever.', f'"They taste better together," said {f.name}.',
                 f'{f.name} smiled. "You are a good friend," {f.he} said.')
        self.ask(f'How many {foods} did {h.name} have?', f'{h.name} had {NUMBERS[2 * half]} {foods}.')
        self.ask(f'How many {foods} did each get?', f'Each got {NUMBERS[half]} {foods}.')
        self.ask('Who was hungry?', f'{f.name} the {f.kind} was hungry.')

    def fear(self):
        self.opening()
        h = self.hero
        fear, help_, then = self.rng.choice(FEARS)
        self.say(f'{h.name} was afraid of {fear}.', f'There was one thing {h.name} did not like: {fear}.', f'But {h.he} was always afraid of {fear}.')
        self.say(f'When evening came, {h.he} did not want to go home alone.', f'{h.He} stood still and did not dare to go on.',
                 f'"I cannot do it," {h.he} whispered.')
        f = self.meet()
        self.say(f'"Everybody is afraid of something," said {f.name}.', f'"I was afraid of {fear} too," said {f.name}, "when I was small."')
        self.say(f'"Look, I have {help_} for you."', f'{f.name} gave {h.him} {help_}.', f'"All you need is {help_}," said the {f.kind}.')
        self.say(then, f'They went together. {then}')
        self.say(f'After that day {h.name} was not afraid of {fear} any more.', f'"That was easy!" said {h.name}. {h.He} was very proud.')
        self.ask(f'What was {h.name} afraid of?', f'{h.name} was afraid of {fear}.')
        self.ask(f'What did {f.name} give to {h.name}?', f'{f.name} gave {h.name} {help_}.')

    def cook(self):
        self.opening()
        h, rng = self.hero, self.rng
        dish = rng.choice(list(DISHES))
        parts = list(DISHES[dish])
        rng.shuffle(parts)
        names = [p for p, _ in parts]
        self.say(f'{h.name} wanted to make {dish} for the feast.', f'"Today I will make {dish}," said {h.name}.', f'{h.name} was hungry and dreamed of {dish}.')
        self.say(f'For that {h.he} needed {names[0]}, {names[1]} and {names[2]}.', f'"I need {names[0]}, {names[1]} and {names[2]}," {h.he} said.')
        openers = rng.choice([('First', 'Then', 'Last'), ('In the morning', 'At noon', 'In the evening'), ('First', 'After that', 'In the end')])
        for opener, (part, place) in zip(openers, parts):
            self.say(f'{opener} {h.he} got {part} {PLACES[place][0]}.', f'{opener} {h.he} found {part} {PLACES[place][0]}.')
            self.ask(f'Where did {h.name} get {part}?', f'{h.name} got {part} {PLACES[place][0]}.')
        f = self.meet()
        self.say(f'"That smells wonderful," said {f.name}.', f'{f.name} helped {h.him} to stir.', f'"May I help?" asked {f.name}, and they worked together.')
        self.say(f'The {dish} was warm and sweet, and everybody wanted more.' if dish != 'vegetable soup' else f'The {dish} was hot and good, and nobody left a drop.',
                 f'They ate the {dish} until the stars came out.')
        self.ask(f'What did {h.name} make?', f'{h.name} made {dish}.')

    def rescue(self):
        self.opening()
        h, rng = self.hero, self.rng
        small = rng.choice([a for a in ANIMALS if a != h.kind and a not in ('bear', 'horse')])
        self.say('Suddenly there was a sound.', f'Then {h.he} heard something.', f'{h.name} stopped and listened.')
        self.say(f'It was a baby {small} that had lost its mother.', f'Behind a stone sat a baby {small}, all alone and cold.')
        self.say(f'"Do not cry," said {h.name}. "I will help you."', f'{h.name} put {h.his} scarf around it.', f'{h.name} sat down beside it and waited until it was calm.')
        home = ANIMALS[small][0]
        self.say(f'"Where do you live?" asked {h.name}. "In {home}," said the baby {small}.', f'{h.name} knew that every {small} lives in {home}.')
        self.say(f'So they walked a long way, until they came to {home}.', f'{h.name} carried the baby {small} to {home}.')
        self.say(f'The mother was there. "My little one!" she said, and she gave {h.name} some {ANIMALS[small][1]} to say thank you.',
                 'There was the mother, and how happy she was!')
        self.ask(f'Who did {h.name} find?', f'{h.name} found a baby {small}.')
        self.ask(f'Where does the {small} live?', f'The {small} lives in {home}.')

    def grow(self):
        self.opening()
        h, rng = self.hero, self.rng
        plant, fruit = rng.choice(PLANTS)
        days = rng.randint(3, 9)
        self.say(f'{h.name} put {an(plant)} seed into the ground.', f'{h.He} planted {an(plant)} seed and gave it water.')
        self.say('The next day nothing had happened.', f'{h.name} looked every day, but there was only earth.', 'One day went by, and one more.')
        f = self.meet()
        self.say(f'"It will never grow," said {h.name}. "You must wait," said {f.name}.', f'"Why does it not grow?" asked {h.name}. "Good things take time," said the {f.kind}.')
        self.say(f'So {h.name} waited and gave it water every morning.', f'{h.name} waited, and {f.name} waited with {h.him}.')
        self.say(f'After {NUMBERS[days]} days there was a small green leaf.', f'On day {NUMBERS[days]} a tiny leaf came out of the ground.')
        self.say(f'And in summer there were {fruit} for everybody.', f'When summer came, they had more {fruit} than they could carry.')
        self.ask(f'What did {h.name} plant?', f'{h.name} planted {an(plant)} seed.')
        self.ask('How many days did it take?', f'It took {NUMBERS[days]} days.')

    def riddle(self):
        self.opening()
        h = self.hero
        question, answer = self.rng.choice(list(RIDDLES.items()))
        f = self.meet()
        self.say(f'"I know a riddle," said {f.name}. "{question}"', f'"You may pass if you can tell me this," said the {f.kind}. "{question}"')
        self.say(f'{h.name} thought for a long time.', f'{h.name} looked at the sky and thought.', f'"That is hard," said {h.name}.')
        self.say(f'"I know it!" {h.he} said. "It is {answer}!"', f'Then {h.he} laughed. "It is {answer}!"')
        self.say(f'"You are right," said {f.name}. "You are very clever."', f'{f.name} clapped. "Nobody has ever found that," {f.he} said.')
        self.ask('What was the answer to the riddle?', f'It was {answer}.')
        self.ask('Who told the riddle?', f'{f.name} the {f.kind} told the riddle.')

    def race(self):
        self.opening()
        h, rng = self.hero, self.rng
        goal = rng.choice([p for p in PLACES if p != self.place])
        f = self.meet()
        self.say(f'"Let us race to the {goal}," said {f.name}.', f'"I bet I am faster than you," said {f.name}. "Who is first at the {goal}?"')
        self.say(f'They ran as fast as they could, and {f.name} was far ahead.', f'{f.name} ran like the wind. {h.name} was slower.')
        self.say(f'But then {f.name} fell and hurt {f.his} foot.', f'But {f.name} did not look at the path, and {f.he} fell into the mud.')
        self.say(f'{h.name} could have won. But {h.he} stopped and helped {f.him} up.', f'{h.name} stopped. "Are you all right?" {h.he} asked, and gave {f.him} a hand.')
        self.say(f'So they came to the {goal} together, and nobody had lost.', f'They walked to the {goal} side by side. "We both win," said {f.name}.')
        self.ask('Where did they race to?', f'They raced to the {goal}.')
        self.ask('Who fell?', f'{f.name} the {f.kind} fell.')

    def moral(self):
        h, f = self.hero, self.friend
        if f:
            self.say(f'\n{h.name} and {f.name} were friends from that day on.', f'\nAnd when the sun went down, {h.name} and {f.name} walked home together.',
                     '\nThat is how they became friends.', f'\nFrom then on {h.name} was never alone again.')
        else:
            self.say(f'\nThat night {h.name} slept very well.', f'\n{h.name} went home, tired and happy.', f'\nAnd {h.name} never forgot that day.')
        self.say('The end.', '')


def tale(seed):
    return Tale(random.Random(seed)).text().strip()


if __name__ == '__main__':
    print(tale(sys.argv[1] if len(sys.argv) > 1 else random.randrange(10 ** 9)))
