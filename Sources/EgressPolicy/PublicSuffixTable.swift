// This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was not
// distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/.
//
// The ICANN section of the Public Suffix List (https://publicsuffix.org/list/public_suffix_list.dat) of 9 February 2023, as
// Debian 12 ships it (package publicsuffix 20230209.2326-1), without suffixes of one label. A line is `PARENT: LABELS`,
// sorted by parent and first label; a long parent has several lines. `*` stands for any label, `!` for an exception,
// labels are in their xn-- form.

let publicSuffixTable = """
  aa.no: gs
  ac: com edu gov mil net org
  ac.at: sth
  ad: nom
  ae: ac co gov mil net org sch
  aero: accident-investigation accident-prevention aerobatic aeroclub aerodrome agents air-surveillance
  aero: air-traffic-control aircraft airline airport airtraffic ambulance amusement association author ballooning broker
  aero: caa cargo catering certification championship charter civilaviation club conference consultant consulting
  aero: control council crew design dgca educator emergency engine engineer entertainment equipment exchange express
  aero: federation flight fuel gliding government groundhandling group hanggliding homebuilt insurance journal
  aero: journalist leasing logistics magazine maintenance media microlight modelling navigation parachuting paragliding
  aero: passenger-association pilot press production recreation repbody res research rotorcraft safety scientist
  aero: services show skydiving software student trader trading trainer union workinggroup works
  af: com edu gov net org
  ag: co com net nom org
  ah.no: gs
  ai: com net off org
  aichi.jp: aisai ama anjo asuke chiryu chita fuso gamagori handa hazu hekinan higashiura ichinomiya inazawa inuyama
  aichi.jp: isshiki iwakura kanie kariya kasugai kira kiyosu komaki konan kota mihama miyoshi nishio nisshin obu oguchi
  aichi.jp: oharu okazaki owariasahi seto shikatsu shinshiro shitara tahara takahama tobishima toei togo tokai tokoname
  aichi.jp: toyoake toyohashi toyokawa toyone toyota tsushima yatomi
  ak.us: cc k12 lib
  akershus.no: nes
  akita.jp: akita daisen fujisato gojome hachirogata happou higashinaruse honjo honjyo ikawa kamikoani kamioka katagami
  akita.jp: kazuno kitaakita kosaka kyowa misato mitane moriyoshi nikaho noshiro odate oga ogata semboku yokote
  akita.jp: yurihonjo
  al: com edu gov mil net org
  al.us: cc k12 lib
  am: co com commune net org
  ao: co ed gv it og pb
  aomori.jp: aomori gonohe hachinohe hashikami hiranai hirosaki itayanagi kuroishi misawa mutsu nakadomari noheji oirase
  aomori.jp: owani rokunohe sannohe shichinohe shingo takko towada tsugaru tsuruta
  ar: bet com coop edu gob gov int mil musica mutual net org senasa tur
  ar.us: cc k12 lib
  arpa: e164 in-addr ip6 iris uri urn
  as: gov
  as.us: cc k12 lib
  at: ac co gv or
  au: act asn com conf edu gov id info net nsw nt org oz qld sa tas vic wa
  aw: com
  az: biz com edu gov info int mil name net org pp pro
  az.us: cc k12 lib
  ba: com edu gov mil net org
  bb: biz co com edu gov info net org store tv
  bd: *
  be: ac
  bf: gov
  bg: 0 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v w x y z
  bh: com edu gov net org
  bi: co com edu or org
  bj: africa agro architectes assur avocats co com eco econo edu info loisirs money net org ote restaurant resto tourism
  bj: univ
  bm: com edu gov net org
  bn: com edu gov net org
  bo: academia agro arte blog bolivia ciencia com cooperativa democracia deporte ecologia economia edu empresa gob
  bo: indigena industria info int medicina mil movimiento musica natural net nombre noticias org patria plurinacional
  bo: politica profesional pueblo revista salud tecnologia tksat transporte tv web wiki
  br: 9guacu abc adm adv agr aju am anani aparecida app arq art ato b barueri belem bhz bib bio blog bmd boavista bsb
  br: campinagrande campinas caxias cim cng cnt com contagem coop coz cri cuiaba curitiba def des det dev ecn eco edu
  br: emp enf eng esp etc eti far feira flog floripa fm fnd fortal fot foz fst g12 geo ggf goiania gov gru imb ind inf
  br: jab jampa jdf joinville jor jus leg lel log londrina macapa maceio manaus maringa mat med mil morena mp mus natal
  br: net niteroi not ntr odo ong org osasco palmas poa ppg pro psc psi pvh qsl radio rec recife rep ribeirao rio
  br: riobranco riopreto salvador sampa santamaria santoandre saobernardo saogonca seg sjc slg slz sorocaba srv taxi tc
  br: tec teo the tmp trd tur tv udi vet vix vlog wiki zlg
  bs: com edu gov net org
  bt: com edu gov net org
  bu.no: gs
  buskerud.no: nes
  bw: co org
  by: com gov mil of
  bz: com edu gov net org
  ca: ab bc gc mb nb nf nl ns nt nu on pe qc sk yk
  ca.us: cc k12 lib
  cd: gov
  chiba.jp: abiko asahi chonan chosei choshi chuo funabashi futtsu hanamigawa ichihara ichikawa ichinomiya inzai isumi
  chiba.jp: kamagaya kamogawa kashiwa katori katsuura kimitsu kisarazu kozaki kujukuri kyonan matsudo midori mihama
  chiba.jp: minamiboso mobara mutsuzawa nagara nagareyama narashino narita noda oamishirasato omigawa onjuku otaki sakae
  chiba.jp: sakura shimofusa shirako shiroi shisui sodegaura sosa tako tateyama togane tohnosho tomisato urayasu
  chiba.jp: yachimata yachiyo yokaichiba yokoshibahikari yotsukaido
  ci: ac asso co com ed edu go gouv int md net or org presse xn--aroport-bya
  ck: * !www
  cl: co gob gov mil
  cm: co com gov net
  cn: ac ah bj com cq edu fj gd gov gs gx gz ha hb he hi hk hl hn jl js jx ln mil mo net nm nx org qh sc sd sh sn sx tj
  cn: tw xj xn--55qx5d xn--io0a7i xn--od0alg xz yn zj
  co: arts com edu firm gov info int mil net nom org rec web
  co.im: ltd plc
  co.us: cc k12 lib
  cr: ac co ed fi go or sa
  ct.us: cc k12 lib
  cu: com edu gov inf net org
  cv: com edu int nome org
  cw: com edu net org
  cx: gov
  cy: ac biz com ekloges gov ltd mil net org press pro tm
  dc.us: cc k12 lib
  de.us: cc k12
  dm: com edu gov net org
  do: art com edu gob gov mil net org sld web
  dz: art asso com edu gov net org pol soc tm
  ec: com edu fin gob gov info k12 med mil net org pro
  edu.au: act catholic nsw nt qld sa tas vic wa
  ee: aip com edu fie gov lib med org pri riik
  eg: com edu eun gov mil name net org sci
  ehime.jp: ainan honai ikata imabari iyo kamijima kihoku kumakogen masaki matsuno matsuyama namikata niihama ozu saijo
  ehime.jp: seiyo shikokuchuo tobe toon uchiko uwajima yawatahama
  er: *
  es: com edu gob nom org
  et: biz com edu gov info name net org
  fi: aland
  fj: ac biz com gov info mil name net org pro
  fk: *
  fl.us: cc k12 lib
  fm: com edu net org
  fm.no: gs
  fr: aeroport asso avocat avoues cci chambagri chirurgiens-dentistes com experts-comptables geometre-expert gouv greta
  fr: huissier-justice medecin nom notaires pharmacien port prd tm veterinaire
  fukui.jp: echizen eiheiji fukui ikeda katsuyama mihama minamiechizen obama ohi ono sabae sakai takahama tsuruga wakasa
  fukuoka.jp: ashiya buzen chikugo chikuho chikujo chikushino chikuzen chuo dazaifu fukuchi hakata higashi hirokawa
  fukuoka.jp: hisayama iizuka inatsuki kaho kasuga kasuya kawara keisen koga kurate kurogi kurume minami miyako miyama
  fukuoka.jp: miyawaka mizumaki munakata nakagawa nakama nishi nogata ogori okagaki okawa oki omuta onga onojo oto
  fukuoka.jp: saigawa sasaguri shingu shinyoshitomi shonai soeda sue tachiarai tagawa takata toho toyotsu tsuiki ukiha
  fukuoka.jp: umi usui yamada yame yanagawa yukuhashi
  fukushima.jp: aizubange aizumisato aizuwakamatsu asakawa bandai date fukushima furudono futaba hanawa higashi hirata
  fukushima.jp: hirono iitate inawashiro ishikawa iwaki izumizaki kagamiishi kaneyama kawamata kitakata kitashiobara
  fukushima.jp: koori koriyama kunimi miharu mishima namie nango nishiaizu nishigo okuma omotego ono otama samegawa
  fukushima.jp: shimogo shirakawa showa soma sukagawa taishin tamakawa tanagura tenei yabuki yamato yamatsuri yanaizu
  fukushima.jp: yugawa
  ga.us: cc k12 lib
  gd: edu gov
  ge: com edu gov mil net org pvt
  gg: co net org
  gh: com edu gov mil org
  gi: com edu gov ltd mod org
  gifu.jp: anpachi ena gifu ginan godo gujo hashima hichiso hida higashishirakawa ibigawa ikeda kakamigahara kani
  gifu.jp: kasahara kasamatsu kawaue kitagata mino minokamo mitake mizunami motosu nakatsugawa ogaki sakahogi seki
  gifu.jp: sekigahara shirakawa tajimi takayama tarui toki tomika wanouchi yamagata yaotsu yoro
  gl: co com edu net org
  gn: ac com edu gov net org
  gov.au: qld sa tas vic wa
  gov.br: ac al am ap ba ce df es go ma mg ms mt pa pb pe pi pr rj rn ro rr rs sc se sp to
  gov.pl: ap griw ic is kmpsp konsulat kppsp kwp kwpsp mup mw oirm oum pa pinb piw po psp psse pup rzgw sa sdn sko so sr
  gov.pl: starostwo ug ugim um umig upow uppo us uw uzs wif wiih winb wios witd wiw wsa wskr wuoz wzmiuw zp
  gp: asso com edu mobi net org
  gr: com edu gov net org
  gt: com edu gob ind mil net org
  gu: com edu gov guam info net org web
  gu.us: cc k12 lib
  gunma.jp: annaka chiyoda fujioka higashiagatsuma isesaki itakura kanna kanra katashina kawaba kiryu kusatsu maebashi
  gunma.jp: meiwa midori minakami naganohara nakanojo nanmoku numata oizumi ora ota shibukawa shimonita shinto showa
  gunma.jp: takasaki takayama tamamura tatebayashi tomioka tsukiyono tsumagoi ueno yoshioka
  gy: co com edu gov net org
  hedmark.no: os valer xn--vler-qoa
  hi.us: cc lib
  hiroshima.jp: asaminami daiwa etajima fuchu fukuyama hatsukaichi higashihiroshima hongo jinsekikogen kaita kui kumano
  hiroshima.jp: kure mihara miyoshi naka onomichi osakikamijima otake saka sera seranishi shinichi shobara takehara
  hk: com edu gov idv net org xn--55qx5d xn--ciqpn xn--gmq050i xn--gmqw5a xn--io0a7i xn--lcvr32d xn--mk0axi xn--mxtq1m
  hk: xn--od0alg xn--od0aq3b xn--tn0ag xn--uc0atv xn--uc0ay4a xn--wcvs22d xn--zf0avx
  hl.no: gs
  hm.no: gs
  hn: com edu gob mil net org
  hokkaido.jp: abashiri abira aibetsu akabira akkeshi asahikawa ashibetsu ashoro assabu atsuma bibai biei bifuka bihoro
  hokkaido.jp: biratori chippubetsu chitose date ebetsu embetsu eniwa erimo esan esashi fukagawa fukushima furano
  hokkaido.jp: furubira haboro hakodate hamatonbetsu hidaka higashikagura higashikawa hiroo hokuryu hokuto honbetsu
  hokkaido.jp: horokanai horonobe ikeda imakane ishikari iwamizawa iwanai kamifurano kamikawa kamishihoro kamisunagawa
  hokkaido.jp: kamoenai kayabe kembuchi kikonai kimobetsu kitahiroshima kitami kiyosato koshimizu kunneppu kuriyama
  hokkaido.jp: kuromatsunai kushiro kutchan kyowa mashike matsumae mikasa minamifurano mombetsu moseushi mukawa muroran
  hokkaido.jp: naie nakagawa nakasatsunai nakatombetsu nanae nanporo nayoro nemuro niikappu niki nishiokoppe noboribetsu
  hokkaido.jp: numata obihiro obira oketo okoppe otaru otobe otofuke otoineppu oumu ozora pippu rankoshi rebun rikubetsu
  hokkaido.jp: rishiri rishirifuji saroma sarufutsu shakotan shari shibecha shibetsu shikabe shikaoi shimamaki shimizu
  hokkaido.jp: shimokawa shinshinotsu shintoku shiranuka shiraoi shiriuchi sobetsu sunagawa taiki takasu takikawa
  hokkaido.jp: takinoue teshikaga tobetsu tohma tomakomai tomari toya toyako toyotomi toyoura tsubetsu tsukigata urakawa
  hokkaido.jp: urausu uryu utashinai wakkanai wassamu yakumo yoichi
  hordaland.no: os
  hr: com from iz name
  ht: adult art asso com coop edu firm gouv info med net org perso pol pro rel shop
  hu: 2000 agrar bolt casino city co erotica erotika film forum games hotel info ingatlan jogasz konyvelo lakas media
  hu: news org priv reklam sex shop sport suli szex tm tozsde utazas video
  hyogo.jp: aioi akashi ako amagasaki aogaki asago ashiya awaji fukusaki goshiki harima himeji ichikawa inagawa itami
  hyogo.jp: kakogawa kamigori kamikawa kasai kasuga kawanishi miki minamiawaji nishinomiya nishiwaki ono sanda sannan
  hyogo.jp: sasayama sayo shingu shinonsen shiso sumoto taishi taka takarazuka takasago takino tamba tatsuno toyooka
  hyogo.jp: yabu yashiro yoka yokawa
  ia.us: cc k12 lib
  ibaraki.jp: ami asahi bando chikusei daigo fujishiro hitachi hitachinaka hitachiomiya hitachiota ibaraki ina inashiki
  ibaraki.jp: itako iwama joso kamisu kasama kashima kasumigaura koga miho mito moriya naka namegata oarai ogawa omitama
  ibaraki.jp: ryugasaki sakai sakuragawa shimodate shimotsuma shirosato sowa suifu takahagi tamatsukuri tokai tomobe
  ibaraki.jp: tone toride tsuchiura tsukuba uchihara ushiku yachiyo yamagata yawara yuki
  id: ac biz co desa go mil my net or ponpes sch web
  id.us: cc k12 lib
  ie: gov
  il: ac co gov idf k12 muni net org
  il.us: cc k12 lib
  im: ac co com net org tt tv
  in: 5g 6g ac ai am bihar biz business ca cn co com coop cs delhi dr edu er firm gen gov gujarat ind info int internet
  in: io me mil net nic org pg post pro res travel tv uk up us
  in.us: cc k12 lib
  int: eu
  io: com
  iq: com edu gov mil net org
  ir: ac co gov id net org sch xn--mgba3a4f16a xn--mgba3a4fra
  is: com edu gov int net org
  ishikawa.jp: anamizu hakui hakusan kaga kahoku kanazawa kawakita komatsu nakanoto nanao nomi nonoichi noto shika suzu
  ishikawa.jp: tsubata tsurugi uchinada wajima
  it: abr abruzzo ag agrigento al alessandria alto-adige altoadige an ancona andria-barletta-trani andria-trani-barletta
  it: andriabarlettatrani andriatranibarletta ao aosta aosta-valley aostavalley aoste ap aq aquila ar arezzo
  it: ascoli-piceno ascolipiceno asti at av avellino ba balsan balsan-sudtirol balsan-suedtirol bari
  it: barletta-trani-andria barlettatraniandria bas basilicata belluno benevento bergamo bg bi biella bl bn bo bologna
  it: bolzano bolzano-altoadige bozen bozen-sudtirol bozen-suedtirol br brescia brindisi bs bt bulsan bulsan-sudtirol
  it: bulsan-suedtirol bz ca cagliari cal calabria caltanissetta cam campania campidano-medio campidanomedio campobasso
  it: carbonia-iglesias carboniaiglesias carrara-massa carraramassa caserta catania catanzaro cb ce cesena-forli
  it: cesenaforli ch chieti ci cl cn co como cosenza cr cremona crotone cs ct cuneo cz dell-ogliastra dellogliastra edu
  it: emilia-romagna emiliaromagna emr en enna fc fe fermo ferrara fg fi firenze florence fm foggia forli-cesena
  it: forlicesena fr friuli-v-giulia friuli-ve-giulia friuli-vegiulia friuli-venezia-giulia friuli-veneziagiulia
  it: friuli-vgiulia friuliv-giulia friulive-giulia friulivegiulia friulivenezia-giulia friuliveneziagiulia
  it: friulivgiulia frosinone fvg ge genoa genova go gorizia gov gr grosseto iglesias-carbonia iglesiascarbonia im
  it: imperia is isernia kr la-spezia laquila laspezia latina laz lazio lc le lecce lecco li lig liguria livorno lo lodi
  it: lom lombardia lombardy lt lu lucania lucca macerata mantova mar marche massa-carrara massacarrara matera mb mc me
  it: medio-campidano mediocampidano messina mi milan milano mn mo modena mol molise monza monza-brianza
  it: monza-e-della-brianza monzabrianza monzaebrianza monzaedellabrianza ms mt na naples napoli no novara nu nuoro og
  it: ogliastra olbia-tempio olbiatempio or oristano ot pa padova padua palermo parma pavia pc pd pe perugia
  it: pesaro-urbino pesarourbino pescara pg pi piacenza piedmont piemonte pisa pistoia pmn pn po pordenone potenza pr
  it: prato pt pu pug puglia pv pz ra ragusa ravenna rc re reggio-calabria reggio-emilia reggiocalabria reggioemilia rg
  it: ri rieti rimini rm rn ro roma rome rovigo sa salerno sar sardegna sardinia sassari savona si sic sicilia sicily
  it: siena siracusa so sondrio sp sr ss suedtirol sv ta taa taranto te tempio-olbia tempioolbia teramo terni tn to
  it: torino tos toscana tp tr trani-andria-barletta trani-barletta-andria traniandriabarletta tranibarlettaandria
  it: trapani trentin-sud-tirol trentin-sudtirol trentin-sued-tirol trentin-suedtirol trentino trentino-a-adige
  it: trentino-aadige trentino-alto-adige trentino-altoadige trentino-s-tirol trentino-stirol trentino-sud-tirol
  it: trentino-sudtirol trentino-sued-tirol trentino-suedtirol trentinoa-adige trentinoaadige trentinoalto-adige
  it: trentinoaltoadige trentinos-tirol trentinostirol trentinosud-tirol trentinosudtirol trentinosued-tirol
  it: trentinosuedtirol trentinsud-tirol trentinsudtirol trentinsued-tirol trentinsuedtirol trento treviso trieste ts
  it: turin tuscany tv ud udine umb umbria urbino-pesaro urbinopesaro va val-d-aosta val-daosta vald-aosta valdaosta
  it: valle-aosta valle-d-aosta valle-daosta valleaosta valled-aosta valledaosta vallee-aoste vallee-d-aoste valleeaoste
  it: valleedaoste vao varese vb vc vda ve ven veneto venezia venice verbania vercelli verona vi vibo-valentia
  it: vibovalentia vicenza viterbo vr vs vt vv xn--balsan-sdtirol-nsb xn--bozen-sdtirol-2ob xn--bulsan-sdtirol-nsb
  it: xn--cesena-forl-mcb xn--cesenaforl-i8a xn--forl-cesena-fcb xn--forlcesena-c8a xn--sdtirol-n2a
  it: xn--trentin-sd-tirol-rzb xn--trentin-sdtirol-7vb xn--trentino-sd-tirol-c3b xn--trentino-sdtirol-szb
  it: xn--trentinosd-tirol-rzb xn--trentinosdtirol-7vb xn--trentinsd-tirol-6vb xn--trentinsdtirol-nsb
  it: xn--valle-aoste-ebb xn--valle-d-aoste-ehb xn--valleaoste-e7a xn--valledaoste-ebb
  iwate.jp: fudai fujisawa hanamaki hiraizumi hirono ichinohe ichinoseki iwaizumi iwate joboji kamaishi kanegasaki
  iwate.jp: karumai kawai kitakami kuji kunohe kuzumaki miyako mizusawa morioka ninohe noda ofunato oshu otsuchi
  iwate.jp: rikuzentakata shiwa shizukuishi sumita tanohata tono yahaba yamada
  jan-mayen.no: gs
  je: co net org
  jm: *
  jo: com edu gov mil name net org sch
  jp: ac ad aichi akita aomori chiba co ed ehime fukui fukuoka fukushima gifu go gr gunma hiroshima hokkaido hyogo
  jp: ibaraki ishikawa iwate kagawa kagoshima kanagawa kochi kumamoto kyoto lg mie miyagi miyazaki nagano nagasaki nara
  jp: ne niigata oita okayama okinawa or osaka saga saitama shiga shimane shizuoka tochigi tokushima tokyo tottori
  jp: toyama wakayama xn--0trq7p7nn xn--1ctwo xn--1lqs03n xn--1lqs71d xn--2m4a15e xn--32vp30h xn--4it168d xn--4it797k
  jp: xn--4pvxs xn--5js045d xn--5rtp49c xn--5rtq34k xn--6btw5a xn--6orx2r xn--7t0a264c xn--8ltr62k xn--8pvr4u xn--c3s14m
  jp: xn--d5qv7z876c xn--djrs72d6uy xn--djty4k xn--efvn9s xn--ehqz56n xn--elqq16h xn--f6qx53a xn--k7yn95e xn--kbrq7o
  jp: xn--klt787d xn--kltp7d xn--kltx9a xn--klty5x xn--mkru45i xn--nit225k xn--ntso0iqx3a xn--ntsq17g xn--pssu33l
  jp: xn--qqqt11m xn--rht27z xn--rht3d xn--rht61e xn--rny31h xn--tor131o xn--uist22h xn--uisz3g xn--uuwu58a xn--vgu402c
  jp: xn--zbx025d yamagata yamaguchi yamanashi
  k12.ma.us: chtr paroch pvt
  kagawa.jp: ayagawa higashikagawa kanonji kotohira manno marugame mitoyo naoshima sanuki tadotsu takamatsu tonosho
  kagawa.jp: uchinomi utazu zentsuji
  kagoshima.jp: akune amami hioki isa isen izumi kagoshima kanoya kawanabe kinko kouyama makurazaki matsumoto minamitane
  kagoshima.jp: nakatane nishinoomote satsumasendai soo tarumizu yusui
  kanagawa.jp: aikawa atsugi ayase chigasaki ebina fujisawa hadano hakone hiratsuka isehara kaisei kamakura kiyokawa
  kanagawa.jp: matsuda minamiashigara miura nakai ninomiya odawara oi oiso sagamihara samukawa tsukui yamakita yamato
  kanagawa.jp: yokosuka yugawara zama zushi
  kawasaki.jp: * !city
  ke: ac co go info me mobi ne or sc
  kg: com edu gov mil net org
  kh: *
  ki: biz com edu gov info net org
  kitakyushu.jp: * !city
  km: ass asso com coop edu gouv gov medecin mil nom notaires org pharmaciens prd presse tm veterinaire
  kn: edu gov net org
  kobe.jp: * !city
  kochi.jp: aki geisei hidaka higashitsuno ino kagami kami kitagawa kochi mihara motoyama muroto nahari nakamura nankoku
  kochi.jp: nishitosa niyodogawa ochi okawa otoyo otsuki sakawa sukumo susaki tosa tosashimizu toyo tsuno umaji yasuda
  kochi.jp: yusuhara
  kp: com edu gov org rep tra
  kr: ac busan chungbuk chungnam co daegu daejeon es gangwon go gwangju gyeongbuk gyeonggi gyeongnam hs incheon jeju
  kr: jeonbuk jeonnam kg mil ms ne or pe re sc seoul ulsan
  ks.us: cc k12 lib
  kumamoto.jp: amakusa arao aso choyo gyokuto kamiamakusa kikuchi kumamoto mashiki mifune minamata minamioguni nagasu
  kumamoto.jp: nishihara oguni ozu sumoto takamori uki uto yamaga yamato yatsushiro
  kw: com edu emb gov ind net org
  ky: com edu net org
  ky.us: cc k12 lib
  kyoto.jp: ayabe fukuchiyama higashiyama ide ine joyo kameoka kamo kita kizu kumiyama kyotamba kyotanabe kyotango
  kyoto.jp: maizuru minami minamiyamashiro miyazu muko nagaokakyo nakagyo nantan oyamazaki sakyo seika tanabe uji
  kyoto.jp: ujitawara wazuka yamashina yawata
  kz: com edu gov mil net org
  la: com edu gov info int net org per
  la.us: cc k12 lib
  lb: com edu gov net org
  lc: co com edu gov net org
  lk: ac assn com edu gov grp hotel int ltd net ngo org sch soc web
  lr: com edu gov net org
  ls: ac biz co edu gov info net org sc
  lt: gov
  lv: asn com conf edu gov id mil net org
  ly: com edu gov id med net org plc sch
  ma: ac co gov net org press
  ma.us: cc k12 lib
  mc: asso tm
  md.us: cc k12 lib
  me: ac co edu gov its net org priv
  me.us: cc k12 lib
  mg: co com edu gov mil nom org prd tm
  mi.us: ann-arbor cc cog dst eaton gen k12 lib mus tec washtenaw
  mie.jp: asahi inabe ise kameyama kawagoe kiho kisosaki kiwa komono kumano kuwana matsusaka meiwa mihama minamiise
  mie.jp: misugi miyama nabari shima suzuka tado taiki taki tamaki toba tsu udono ureshino watarai yokkaichi
  miyagi.jp: furukawa higashimatsushima ishinomaki iwanuma kakuda kami kawasaki marumori matsushima minamisanriku misato
  miyagi.jp: murata natori ogawara ohira onagawa osaki rifu semine shibata shichikashuku shikama shiogama shiroishi
  miyagi.jp: tagajo taiwa tome tomiya wakuya watari yamamoto zao
  miyazaki.jp: aya ebino gokase hyuga kadogawa kawaminami kijo kitagawa kitakata kitaura kobayashi kunitomi kushima
  miyazaki.jp: mimata miyakonojo miyazaki morotsuka nichinan nishimera nobeoka saito shiiba shintomi takaharu takanabe
  miyazaki.jp: takazaki tsuno
  mk: com edu gov inf name net org
  ml: com edu gouv gov net org presse
  mm: *
  mn: edu gov org
  mn.us: cc k12 lib
  mo: com edu gov net org
  mo.us: cc k12 lib
  more-og-romsdal.no: heroy sande
  mr: gov
  mr.no: gs
  ms: com edu gov net org
  ms.us: cc k12 lib
  mt: com edu net org
  mt.us: cc k12 lib
  mu: ac co com gov net or org
  museum: academy agriculture air airguard alabama alaska amber ambulance american americana americanantiques
  museum: americanart amsterdam and annefrank anthro anthropology antiques aquarium arboretum archaeological archaeology
  museum: architecture art artanddesign artcenter artdeco arteducation artgallery arts artsandcrafts asmatart
  museum: assassination assisi association astronomy atlanta austin australia automotive aviation axis badajoz baghdad
  museum: bahn bale baltimore barcelona baseball basel baths bauern beauxarts beeldengeluid bellevue bergbau berkeley
  museum: berlin bern bible bilbao bill birdart birthplace bonn boston botanical botanicalgarden botanicgarden botany
  museum: brandywinevalley brasil bristol british britishcolumbia broadcast brunel brussel brussels bruxelles building
  museum: burghof bus bushey cadaques california cambridge can canada capebreton carrier cartoonart casadelamoneda
  museum: castle castres celtic center chattanooga cheltenham chesapeakebay chicago children childrens childrensgarden
  museum: chiropractic chocolate christiansburg cincinnati cinema circus civilisation civilization civilwar clinton
  museum: clock coal coastaldefence cody coldwar collection colonialwilliamsburg coloradoplateau columbia columbus
  museum: communication communications community computer computerhistory contemporary contemporaryart convent
  museum: copenhagen corporation corvette costume countryestate county crafts cranbrook creation cultural culturalcenter
  museum: culture cyber cymru dali dallas database ddr decorativearts delaware delmenhorst denmark depot design detroit
  museum: dinosaur discovery dolls donostia durham eastafrica eastcoast education educational egyptian eisenbahn elburg
  museum: elvendrell embroidery encyclopedic england entomology environment environmentalconservation epilepsy essex
  museum: estate ethnology exeter exhibition family farm farmequipment farmers farmstead field figueres filatelia film
  museum: fineart finearts finland flanders florida force fortmissoula fortworth foundation francaise frankfurt
  museum: franziskaner freemasonry freiburg fribourg frog fundacio furniture gallery garden gateway geelvinck
  museum: gemological geology georgia giessen glas glass gorge grandrapids graz guernsey halloffame hamburg handson
  museum: harvestcelebration hawaii health heimatunduhren hellas helsinki hembygdsforbund heritage histoire historical
  museum: historicalsociety historichouses historisch historisches history historyofscience horology house humanities
  museum: illustration imageandsound indian indiana indianapolis indianmarket intelligence interactive iraq iron
  museum: isleofman jamison jefferson jerusalem jewelry jewish jewishart jfk journalism judaica judygarland juedisches
  museum: juif karate karikatur kids koebenhavn koeln kunst kunstsammlung kunstunddesign labor labour lajolla lancashire
  museum: landes lans larsson lewismiller lincoln linz living livinghistory localhistory london losangeles louvre
  museum: loyalist lucerne luxembourg luzern mad madrid mallorca manchester mansion mansions manx marburg maritime
  museum: maritimo maryland marylhurst media medical medizinhistorisches meeres memorial mesaverde michigan midatlantic
  museum: military mill miners mining minnesota missile missoula modern moma money monmouth monticello montreal moscow
  museum: motorcycle muenchen muenster mulhouse muncie museet museumcenter museumvereniging music national
  museum: nationalfirearms nationalheritage nativeamerican naturalhistory naturalhistorymuseum naturalsciences nature
  museum: naturhistorisches natuurwetenschappen naumburg naval nebraska neues newhampshire newjersey newmexico newport
  museum: newspaper newyork niepce norfolk north nrw nyc nyny oceanographic oceanographique omaha online ontario openair
  museum: oregon oregontrail otago oxford pacific paderborn palace paleo palmsprings panama paris pasadena pharmacy
  museum: philadelphia philadelphiaarea philately phoenix photography pilots pittsburgh planetarium plantation plants
  museum: plaza portal portland portlligat posts-and-telecommunications preservation presidio press project public pubol
  museum: quebec railroad railway research resistance riodejaneiro rochester rockart roma russia saintlouis salem
  museum: salvadordali salzburg sandiego sanfrancisco santabarbara santacruz santafe saskatchewan satx savannahga
  museum: schlesisches schoenbrunn schokoladen school schweiz science science-fiction scienceandhistory
  museum: scienceandindustry sciencecenter sciencecenters sciencehistory sciences sciencesnaturelles scotland seaport
  museum: settlement settlers shell sherbrooke sibenik silk ski skole society sologne soundandvision southcarolina
  museum: southwest space spy square stadt stalbans starnberg state stateofdelaware station steam steiermark stjohn
  museum: stockholm stpetersburg stuttgart suisse surgeonshall surrey svizzera sweden sydney tank tcm technology
  museum: telekommunikation television texas textile theater time timekeeping topology torino touch town transport tree
  museum: trolley trust trustee uhren ulm undersea university usa usantiques usarts uscountryestate usculture
  museum: usdecorativearts usgarden ushistory ushuaia uslivinghistory utah uvic valley vantaa versailles viking village
  museum: virginia virtual virtuel vlaanderen volkenkunde wales wallonie war washingtondc watch-and-clock watchandclock
  museum: western westfalen whaling wildlife williamsburg windmill workshop xn--9dbhblg6di xn--comunicaes-v6a2o
  museum: xn--correios-e-telecomunicaes-ghc29a xn--h1aegh xn--lns-qla york yorkshire yosemite youth zoological zoology
  mv: aero biz com coop edu gov info int mil museum name net org pro
  mw: ac biz co com coop edu gov int museum net org
  mx: com edu gob net org
  my: biz com edu gov mil name net org
  mz: ac adv co edu gov mil net org
  na: ca cc co com dr in info mobi mx name or org pro school tv us ws
  nagano.jp: achi agematsu anan aoki asahi azumino chikuhoku chikuma chino fujimi hakuba hara hiraya iida iijima iiyama
  nagano.jp: iizuna ikeda ikusaka ina karuizawa kawakami kiso kisofukushima kitaaiki komagane komoro matsukawa matsumoto
  nagano.jp: miasa minamiaiki minamimaki minamiminowa minowa miyada miyota mochizuki nagano nagawa nagiso nakagawa
  nagano.jp: nakano nozawaonsen obuse ogawa okaya omachi omi ookuwa ooshika otaki otari sakae sakaki saku sakuho
  nagano.jp: shimosuwa shinanomachi shiojiri suwa suzaka takagi takamori takayama tateshina tatsuno togakushi togura
  nagano.jp: tomi ueda wada yamagata yamanouchi yasaka yasuoka
  nagasaki.jp: chijiwa futsu goto hasami hirado iki isahaya kawatana kuchinotsu matsuura nagasaki obama omura oseto
  nagasaki.jp: saikai sasebo seihi shimabara shinkamigoto togitsu tsushima unzen
  nagoya.jp: * !city
  nara.jp: ando gose heguri higashiyoshino ikaruga ikoma kamikitayama kanmaki kashiba kashihara katsuragi kawai kawakami
  nara.jp: kawanishi koryo kurotaki mitsue miyake nara nosegawa oji ouda oyodo sakurai sango shimoichi shimokitayama
  nara.jp: shinjo soni takatori tawaramoto tenkawa tenri uda yamatokoriyama yamatotakada yamazoe yoshino
  nc: asso nom
  nc.tr: gov
  nc.us: cc k12 lib
  nd.us: cc lib
  ne.us: cc k12 lib
  nf: arts com firm info net other per rec store web
  ng: com edu gov i mil mobi name net org sch
  nh.us: cc k12 lib
  ni: ac biz co com edu gob in info int mil net nom org web
  niigata.jp: aga agano gosen itoigawa izumozaki joetsu kamo kariwa kashiwazaki minamiuonuma mitsuke muika murakami
  niigata.jp: myoko nagaoka niigata ojiya omi sado sanjo seiro seirou sekikawa shibata tagami tainai tochio tokamachi
  niigata.jp: tsubame tsunan uonuma yahiko yoita yuzawa
  nj.us: cc k12 lib
  nl.no: gs
  nm.us: cc k12 lib
  no: aa aarborte aejrie afjord agdenes ah aknoluokta akrehamn al alaheadju alesund algard alstahaug alta alvdal amli
  no: amot andasuolo andebu andoy ardal aremark arendal arna aseral asker askim askoy askvoll asnes audnedaln aukra aure
  no: aurland aurskog-holand austevoll austrheim averoy badaddja bahcavuotna bahccavuotna baidar bajddar balat
  no: balestrand ballangen balsfjord bamble bardu barum batsfjord bearalvahki beardu beiarn berg bergen berlevag bievat
  no: bindal birkenes bjarkoy bjerkreim bjugn bodo bokn bomlo bremanger bronnoy bronnoysund brumunddal bryne bu budejju
  no: bygland bykle cahcesuolo davvenjarga davvesiida deatnu dep dielddanuorri divtasvuodna divttasvuotna donna dovre
  no: drammen drangedal drobak dyroy egersund eid eidfjord eidsberg eidskog eidsvoll eigersund elverum enebakk engerdal
  no: etne etnedal evenassi evenes evje-og-hornnes farsund fauske fedje fet fetsund fhs finnoy fitjar fjaler fjell fla
  no: flakstad flatanger flekkefjord flesberg flora floro fm folkebibl folldal forde forsand fosnes frana fredrikstad
  no: frei frogn froland frosta froya fuoisku fuossko fusa fylkesbibl fyresdal gaivuotna galsa gamvik gangaviika gaular
  no: gausdal giehtavuoatna gildeskal giske gjemnes gjerdrum gjerstad gjesdal gjovik gloppen gol gran grane granvin
  no: gratangen grimstad grong grue gulen guovdageaidnu ha habmer hadsel hagebostad halden halsa hamar hamaroy
  no: hammarfeasta hammerfest hapmir haram hareid harstad hasvik hattfjelldal haugesund hemne hemnes hemsedal herad
  no: hitra hjartdal hjelmeland hl hm hobol hof hokksund hol hole holmestrand holtalen honefoss hornindal horten
  no: hoyanger hoylandet hurdal hurum hvaler hyllestad ibestad idrett inderoy iveland ivgu jan-mayen jessheim jevnaker
  no: jolster jondal jorpeland kafjord karasjohka karasjok karlsoy karmoy kautokeino kirkenes klabu klepp kommune
  no: kongsberg kongsvinger kopervik kraanghke kragero kristiansand kristiansund krodsherad krokstadelva kvafjord
  no: kvalsund kvam kvanangen kvinesdal kvinnherad kviteseid kvitsoy laakesvuemie lahppi langevag lardal larvik lavagis
  no: lavangen leangaviika lebesby leikanger leirfjord leirvik leka leksvik lenvik lerdal lesja levanger lier lierne
  no: lillehammer lillesand lindas lindesnes loabat lodingen lom loppa lorenskog loten lund lunner luroy luster lyngdal
  no: lyngen malatvuopmi malselv malvik mandal marker marnardal masfjorden masoy matta-varjjat meland meldal melhus
  no: meloy meraker midsund midtre-gauldal mil mjondalen mo-i-rana moareke modalen modum molde mosjoen moskenes moss
  no: mosvik mr muosat museum naamesjevuemie namdalseid namsos namsskogan nannestad naroy narviika narvik naustdal
  no: navuotna nedre-eiker nesna nesodden nesoddtangen nesseby nesset nissedal nittedal nl nord-aurdal nord-fron
  no: nord-odal norddal nordkapp nordre-land nordreisa nore-og-uvdal notodden notteroy nt odda of oksnes ol omasvuotna
  no: oppdal oppegard orkanger orkdal orland orskog orsta osen oslo osoyro osteroy ostre-toten overhalla ovre-eiker oyer
  no: oygarden oystre-slidre porsanger porsangu porsgrunn priv rade radoy rahkkeravju raholt raisa rakkestad ralingen
  no: rana randaberg rauma rendalen rennebu rennesoy rindal ringebu ringerike ringsaker risor rissa rl roan rodoy rollag
  no: romsa romskog roros rost royken royrvik ruovat rygge salangen salat saltdal samnanger sandefjord sandnes
  no: sandnessjoen sandoy sarpsborg sauda sauherad sel selbu selje seljord sf siellak sigdal siljan sirdal skanit
  no: skanland skaun skedsmo skedsmokorset ski skien skierva skiptvet skjak skjervoy skodje slattum smola snaase snasa
  no: snillfjord snoasa sogndal sogne sokndal sola solund somna sondre-land songdalen sor-aurdal sor-fron sor-odal
  no: sor-varanger sorfold sorreisa sortland sorum spjelkavik spydeberg st stange stat stathelle stavanger stavern
  no: steigen steinkjer stjordal stjordalshalsen stokke stor-elvdal stord stordal storfjord strand stranda stryn sula
  no: suldal sund sunndal surnadal svalbard sveio svelvik sykkylven tana tananger time tingvoll tinn tjeldsund tjome tm
  no: tokke tolga tonsberg torsken tr trana tranby tranoy troandin trogstad tromsa tromso trondheim trysil tvedestrand
  no: tydal tynset tysfjord tysnes tysvar ullensaker ullensvang ulvik unjarga utsira va vaapste vadso vaga vagan vagsoy
  no: vaksdal valle vang vanylven vardo varggat varoy vefsn vega vegarshei vennesla verdal verran vestby vestnes
  no: vestre-slidre vestre-toten vestvagoy vevelstad vf vgs vik vikna vindafjord voagat volda voss vossevangen
  no: xn--andy-ira xn--asky-ira xn--aurskog-hland-jnb xn--avery-yua xn--bdddj-mrabd xn--bearalvhki-y4a xn--berlevg-jxa
  no: xn--bhcavuotna-s4a xn--bhccavuotna-k7a xn--bidr-5nac xn--bievt-0qa xn--bjarky-fya xn--bjddar-pta xn--blt-elab
  no: xn--bmlo-gra xn--bod-2na xn--brnny-wuac xn--brnnysund-m8ac xn--brum-voa xn--btsfjord-9za xn--davvenjrga-y4a
  no: xn--dnna-gra xn--drbak-wua xn--dyry-ira xn--eveni-0qa01ga xn--finny-yua xn--fjord-lra xn--fl-zia xn--flor-jra
  no: xn--frde-gra xn--frna-woa xn--frya-hra xn--ggaviika-8ya47h xn--gildeskl-g0a xn--givuotna-8ya xn--gjvik-wua
  no: xn--gls-elac xn--h-2fa xn--hbmer-xqa xn--hcesuolo-7ya35b xn--hgebostad-g3a xn--hmmrfeasta-s4ac xn--hnefoss-q1a
  no: xn--hobl-ira xn--holtlen-hxa xn--hpmir-xqa xn--hyanger-q1a xn--hylandet-54a xn--indery-fya xn--jlster-bya
  no: xn--jrpeland-54a xn--karmy-yua xn--kfjord-iua xn--klbu-woa xn--koluokta-7ya57h xn--krager-gya xn--kranghke-b0a
  no: xn--krdsherad-m8a xn--krehamn-dxa xn--krjohka-hwab49j xn--ksnes-uua xn--kvfjord-nxa xn--kvitsy-fya
  no: xn--kvnangen-k0a xn--l-1fa xn--laheadju-7ya xn--langevg-jxa xn--ldingen-q1a xn--leagaviika-52b xn--lesund-hua
  no: xn--lgrd-poac xn--lhppi-xqa xn--linds-pra xn--loabt-0qa xn--lrdal-sra xn--lrenskog-54a xn--lt-liac xn--lten-gra
  no: xn--lury-ira xn--mely-ira xn--merker-kua xn--mjndalen-64a xn--mlatvuopmi-s4a xn--mli-tla xn--mlselv-iua
  no: xn--moreke-jua xn--mosjen-eya xn--mot-tla xn--msy-ula0h xn--mtta-vrjjat-k7af xn--muost-0qa xn--nmesjevuemie-tcba
  no: xn--nry-yla5g xn--nttery-byae xn--nvuotna-hwa xn--oppegrd-ixa xn--ostery-fya xn--osyro-wua xn--porsgu-sta26f
  no: xn--rady-ira xn--rdal-poa xn--rde-ula xn--rdy-0nab xn--rennesy-v1a xn--rhkkervju-01af xn--rholt-mra xn--risa-5na
  no: xn--risr-ira xn--rland-uua xn--rlingen-mxa xn--rmskog-bya xn--rros-gra xn--rskog-uua xn--rst-0na xn--rsta-fra
  no: xn--ryken-vua xn--ryrvik-bya xn--s-1fa xn--sandnessjen-ogb xn--sandy-yua xn--seral-lra xn--sgne-gra xn--skierv-uta
  no: xn--skjervy-v1a xn--skjk-soa xn--sknit-yqa xn--sknland-fxa xn--slat-5na xn--slt-elab xn--smla-hra xn--smna-gra
  no: xn--snase-nra xn--sndre-land-0cb xn--snes-poa xn--snsa-roa xn--sr-aurdal-l8a xn--sr-fron-q1a xn--sr-odal-q1a
  no: xn--sr-varanger-ggb xn--srfold-bya xn--srreisa-q1a xn--srum-gra xn--stjrdal-s1a xn--stjrdalshalsen-sqb
  no: xn--stre-toten-zcb xn--tjme-hra xn--tnsberg-q1a xn--trany-yua xn--trgstad-r1a xn--trna-woa xn--troms-zua
  no: xn--tysvr-vra xn--unjrga-rta xn--vads-jra xn--vard-jra xn--vegrshei-c0a xn--vestvgy-ixa6o xn--vg-yiab xn--vgan-qoa
  no: xn--vgsy-qoa0j xn--vre-eiker-k8a xn--vrggt-xqad xn--vry-yla5g xn--yer-zna xn--ygarden-p1a xn--ystre-slidre-ujb
  nom.br: *
  nordland.no: bo heroy xn--b-5ga xn--hery-ira
  np: *
  nr: biz com edu gov info net org
  nsw.edu.au: schools
  nt.no: gs
  nv.us: cc k12 lib
  ny.us: cc k12 lib
  nz: ac co cri geek gen govt health iwi kiwi maori mil net org parliament school xn--mori-qsa
  of.no: gs
  oh.us: cc k12 lib
  oita.jp: beppu bungoono bungotakada hasama hiji himeshima hita kamitsue kokonoe kuju kunisaki kusu oita saiki taketa
  oita.jp: tsukumi usa usuki yufu
  ok.us: cc k12 lib
  okayama.jp: akaiwa asakuchi bizen hayashima ibara kagamino kasaoka kibichuo kumenan kurashiki maniwa misaki nagi niimi
  okayama.jp: nishiawakura okayama satosho setouchi shinjo shoo soja takahashi tamano tsuyama wake yakage
  okinawa.jp: aguni ginowan ginoza gushikami haebaru higashi hirara iheya ishigaki ishikawa itoman izena kadena kin
  okinawa.jp: kitadaito kitanakagusuku kumejima kunigami minamidaito motobu nago naha nakagusuku nakijin nanjo nishihara
  okinawa.jp: ogimi okinawa onna shimoji taketomi tarama tokashiki tomigusuku tonaki urasoe uruma yaese yomitan yonabaru
  okinawa.jp: yonaguni zamami
  ol.no: gs
  om: co com edu gov med museum net org pro
  or.us: cc k12 lib
  osaka.jp: abeno chihayaakasaka chuo daito fujiidera habikino hannan higashiosaka higashisumiyoshi higashiyodogawa
  osaka.jp: hirakata ibaraki ikeda izumi izumiotsu izumisano kadoma kaizuka kanan kashiwara katano kawachinagano
  osaka.jp: kishiwada kita kumatori matsubara minato minoh misaki moriguchi neyagawa nishi nose osakasayama sakai sayama
  osaka.jp: sennan settsu shijonawate shimamoto suita tadaoka taishi tajiri takaishi takatsuki tondabayashi toyonaka
  osaka.jp: toyono yao
  oslo.no: gs
  ostfold.no: valer
  pa: abo ac com edu gob ing med net nom org sld
  pa.us: cc k12 lib
  pe: com edu gob mil net nom org
  pf: com edu org
  pg: *
  ph: com edu gov i mil net ngo org
  pk: biz com edu fam gob gok gon gop gos gov info net org web
  pl: agro aid atm augustow auto babia-gora bedzin beskidy bialowieza bialystok bielawa bieszczady biz boleslawiec
  pl: bydgoszcz bytom cieszyn com czeladz czest dlugoleka edu elblag elk glogow gmina gniezno gorlice gov grajewo gsm
  pl: ilawa info jaworzno jelenia-gora jgora kalisz karpacz kartuzy kaszuby katowice kazimierz-dolny kepno ketrzyn
  pl: klodzko kobierzyce kolobrzeg konin konskowola kutno lapy lebork legnica lezajsk limanowa lomza lowicz lubin lukow
  pl: mail malbork malopolska mazowsze mazury media miasta mielec mielno mil mragowo naklo net nieruchomosci nom
  pl: nowaruda nysa olawa olecko olkusz olsztyn opoczno opole org ostroda ostroleka ostrowiec ostrowwlkp pc pila pisz
  pl: podhale podlasie polkowice pomorskie pomorze powiat priv prochowice pruszkow przeworsk pulawy radom rawa-maz
  pl: realestate rel rybnik rzeszow sanok sejny sex shop sklep skoczow slask slupsk sos sosnowiec stalowa-wola
  pl: starachowice stargard suwalki swidnica swiebodzin swinoujscie szczecin szczytno szkola targi tarnobrzeg tgory tm
  pl: tourism travel turek turystyka tychy ustka walbrzych warmia warszawa waw wegrow wielun wlocl wloclawek wodzislaw
  pl: wolomin wroclaw zachpomor zagan zarow zgora zgorzelec
  pn: co edu gov net org
  pr: ac biz com edu est gov info isla name net org pro prof
  pr.us: cc k12 lib
  pro: aaa aca acct avocat bar cpa eng jur law med recht
  ps: com edu gov net org plo sec
  pt: com edu gov int net nome org publ
  pw: belau co ed go ne or
  py: com coop edu gov mil net org
  qa: com edu gov mil name net org sch
  re: asso com nom
  ri.us: cc lib
  rl.no: gs
  ro: arts com firm info nom nt org rec store tm www
  rs: ac co edu gov in org
  rw: ac co coop gov mil net org
  sa: com edu gov med net org pub sch
  saga.jp: ariake arita fukudomi genkai hamatama hizen imari kamimine kanzaki karatsu kashima kitagata kitahata kiyama
  saga.jp: kouhoku kyuragi nishiarita ogi omachi ouchi saga shiroishi taku tara tosu yoshinogari
  saitama.jp: arakawa asaka chichibu fujimi fujimino fukaya hanno hanyu hasuda hatogaya hatoyama hidaka higashichichibu
  saitama.jp: higashimatsuyama honjo ina iruma iwatsuki kamiizumi kamikawa kamisato kasukabe kawagoe kawaguchi kawajima
  saitama.jp: kazo kitamoto koshigaya kounosu kuki kumagaya matsubushi minano misato miyashiro miyoshi moroyama nagatoro
  saitama.jp: namegawa niiza ogano ogawa ogose okegawa omiya otaki ranzan ryokami saitama sakado satte sayama shiki
  saitama.jp: shiraoka soka sugito toda tokigawa tokorozawa tsurugashima urawa warabi yashio yokoze yono yorii yoshida
  saitama.jp: yoshikawa yoshimi
  sapporo.jp: * !city
  sb: com edu gov net org
  sc: com edu gov net org
  sc.us: cc k12 lib
  sch.uk: *
  sd: com edu gov info med net org tv
  sd.us: cc lib
  se: a ac b bd brand c d e f fh fhsk fhv g h i k komforb kommunalforbund komvux l lanbib m n naturbruksgymn o org p
  se: parti pp press r s t tm u w x y z
  sendai.jp: * !city
  sf.no: gs
  sg: com edu gov net org per
  sh: com gov mil net org
  shiga.jp: aisho gamo higashiomi hikone koka konan kosei koto kusatsu maibara moriyama nagahama nishiazai notogawa
  shiga.jp: omihachiman otsu ritto ryuoh takashima takatsuki torahime toyosato yasu
  shimane.jp: akagi ama gotsu hamada higashiizumo hikawa hikimi izumo kakinoki masuda matsue misato nishinoshima ohda
  shimane.jp: okinoshima okuizumo shimane tamayu tsuwano unnan yakumo yasugi yatsuka
  shizuoka.jp: arai atami fuji fujieda fujikawa fujinomiya fukuroi gotemba haibara hamamatsu higashiizu ito iwata izu
  shizuoka.jp: izunokuni kakegawa kannami kawanehon kawazu kikugawa kosai makinohara matsuzaki minamiizu mishima
  shizuoka.jp: morimachi nishiizu numazu omaezaki shimada shimizu shimoda shizuoka susono yaizu yoshida
  sl: com edu gov net org
  sn: art com edu gouv org perso univ
  so: com edu gov me net org
  ss: biz com edu gov me net org sch
  st: co com consulado edu embaixada mil net org principe saotome store
  st.no: gs
  sv: com edu gob org red
  svalbard.no: gs
  sx: gov
  sy: com edu gov mil net org
  sz: ac co org
  telemark.no: bo xn--b-5ga
  th: ac co go in mi net or
  tj: ac biz co com edu go gov int mil name net nic org test web
  tl: gov
  tm: co com edu gov mil net nom org
  tm.no: gs
  tn: com ens fin gov ind info intl mincom nat net org perso tourism
  tn.us: cc k12 lib
  to: com edu gov mil net org
  tochigi.jp: ashikaga bato haga ichikai iwafune kaminokawa kanuma karasuyama kuroiso mashiko mibu moka motegi nasu
  tochigi.jp: nasushiobara nikko nishikata nogi ohira ohtawara oyama sakura sano shimotsuke shioya takanezawa tochigi
  tochigi.jp: tsuga ujiie utsunomiya yaita
  tokushima.jp: aizumi anan ichiba itano kainan komatsushima matsushige mima minami miyoshi mugi nakagawa naruto
  tokushima.jp: sanagochi shishikui tokushima wajiki
  tokyo.jp: adachi akiruno akishima aogashima arakawa bunkyo chiyoda chofu chuo edogawa fuchu fussa hachijo hachioji
  tokyo.jp: hamura higashikurume higashimurayama higashiyamato hino hinode hinohara inagi itabashi katsushika kita
  tokyo.jp: kiyose kodaira koganei kokubunji komae koto kouzushima kunitachi machida meguro minato mitaka mizuho
  tokyo.jp: musashimurayama musashino nakano nerima ogasawara okutama ome oshima ota setagaya shibuya shinagawa shinjuku
  tokyo.jp: suginami sumida tachikawa taito tama toshima
  tottori.jp: chizu hino kawahara koge kotoura misasa nanbu nichinan sakaiminato tottori wakasa yazu yonago
  toyama.jp: asahi fuchu fukumitsu funahashi himi imizu inami johana kamiichi kurobe nakaniikawa namerikawa nanto nyuzen
  toyama.jp: oyabe taira takaoka tateyama toga tonami toyama unazuki uozu yamada
  tr: av bbs bel biz com dr edu gen gov info k12 kep mil name nc net org pol tel tsk tv web
  tr.no: gs
  tt: aero biz co com coop edu gov info int jobs mobi museum name net org pro travel
  tw: club com ebiz edu game gov idv mil net org xn--czrw28b xn--uc0atv xn--zf0ao64a
  tx.us: cc k12 lib
  tz: ac co go hotel info me mil mobi ne or sc tv
  ua: cherkassy cherkasy chernigov chernihiv chernivtsi chernovtsy ck cn com cr crimea cv dn dnepropetrovsk
  ua: dnipropetrovsk donetsk dp edu gov if in ivano-frankivsk kh kharkiv kharkov kherson khmelnitskiy khmelnytskyi kiev
  ua: kirovograd km kr krym ks kv kyiv lg lt lugansk lutsk lv lviv mk mykolaiv net nikolaev od odesa odessa org pl
  ua: poltava rivne rovno rv sb sebastopol sevastopol sm sumy te ternopil uz uzhgorod vinnica vinnytsia vn volyn yalta
  ua: zaporizhzhe zaporizhzhia zhitomir zhytomyr zp zt
  ug: ac co com go ne or org sc
  uk: ac co gov ltd me net nhs org plc police
  us: ak al ar as az ca co ct dc de dni fed fl ga gu hi ia id il in isa kids ks ky la ma md me mi mn mo ms mt nc nd ne
  us: nh nj nm nsn nv ny oh ok or pa pr ri sc sd tn tx ut va vi vt wa wi wv wy
  ut.us: cc k12 lib
  uy: com edu gub mil net org
  uz: co com net org
  va.no: gs
  va.us: cc k12 lib
  vc: com edu gov mil net org
  ve: arts bib co com e12 edu firm gob gov info int mil net nom org rar rec store tec web
  vestfold.no: sande
  vf.no: gs
  vi: co com k12 net org
  vi.us: cc k12 lib
  vn: ac biz com edu gov health info int name net org pro
  vt.us: cc k12 lib
  vu: com edu net org
  wa.us: cc k12 lib
  wakayama.jp: arida aridagawa gobo hashimoto hidaka hirogawa inami iwade kainan kamitonda katsuragi kimino kinokawa
  wakayama.jp: kitayama koya koza kozagawa kudoyama kushimoto mihama misato nachikatsuura shingu shirahama taiji tanabe
  wakayama.jp: wakayama yuasa yura
  wi.us: cc k12 lib
  ws: com edu gov net org
  wv.us: cc
  wy.us: cc k12 lib
  xn--4dbrk0ce: xn--4dbgdty6c xn--5dbhl8d xn--8dbq2a xn--hebda8b
  xn--90a3ac: xn--80au xn--90azh xn--c1avg xn--d1at xn--o1ac xn--o1ach
  xn--j6w193g: xn--55qx5d xn--gmqw5a xn--mxtq1m xn--od0alg xn--uc0atv xn--wcvs22d
  xn--mre-og-romsdal-qqb.no: sande xn--hery-ira
  xn--o3cw4h: xn--12c1fe0br xn--12cfi8ixb8l xn--12co0c3b4eva xn--h3cuzk1di xn--m3ch0j3a xn--o3cyx2a
  xn--stfold-9xa.no: xn--vler-qoa
  yamagata.jp: asahi funagata higashine iide kahoku kaminoyama kaneyama kawanishi mamurogawa mikawa murayama nagai
  yamagata.jp: nakayama nanyo nishikawa obanazawa oe oguni ohkura oishida sagae sakata sakegawa shinjo shirataka shonai
  yamagata.jp: takahata tendo tozawa tsuruoka yamagata yamanobe yonezawa yuza
  yamaguchi.jp: abu hagi hikari hofu iwakuni kudamatsu mitou nagato oshima shimonoseki shunan tabuse tokuyama toyota ube
  yamaguchi.jp: yuu
  yamanashi.jp: chuo doshi fuefuki fujikawa fujikawaguchiko fujiyoshida hayakawa hokuto ichikawamisato kai kofu koshu
  yamanashi.jp: kosuge minami-alps minobu nakamichi nanbu narusawa nirasaki nishikatsura oshino otsuki showa tabayama
  yamanashi.jp: tsuru uenohara yamanakako yamanashi
  ye: com edu gov mil net org
  yokohama.jp: * !city
  za: ac agric alt co edu gov grondar law mil net ngo nic nis nom org school tm web
  zm: ac biz co com edu gov info mil net org sch
  zw: ac co gov mil org
  """
